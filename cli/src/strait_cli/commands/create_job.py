"""`strait jobs create`: most of a job is flags, and all of it fits in a file.

The parameters carry the names of the API's fields (api 9.3), so that the body is
read off the context and no field is named twice.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from strait_cli import ids
from strait_cli.errors import ConfigError
from strait_cli.inputs import pairs, read_json, read_text
from strait_cli.invocation import Invocation
from strait_cli.output.resources import JOB

_NOT_FIELDS: Final = frozenset({"tag", "json", "idempotency_key"})


class RetryStrategy(StrEnum):
    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIXED = "fixed"
    CUSTOM = "custom"


Text = str | None


def create(
    ctx: typer.Context,
    name: Annotated[Text, typer.Option(help="For people.")] = None,
    slug: Annotated[Text, typer.Option(help="For programs; made from the name.")] = None,
    endpoint_url: Annotated[
        Text, typer.Option("--endpoint", "--endpoint-url", metavar="URL", help="Where it runs.")
    ] = None,
    fallback_endpoint_url: Annotated[
        Text, typer.Option("--fallback-endpoint", metavar="URL", help="When the first is down.")
    ] = None,
    description: Annotated[Text, typer.Option(help="What it does.")] = None,
    timezone: Annotated[Text, typer.Option(metavar="ZONE", help="Of the execution window.")] = None,
    execution_window_cron: Annotated[
        Text, typer.Option("--execution-window", metavar="EXPRESSION", help="When it may run.")
    ] = None,
    timeout_secs: Annotated[int | None, typer.Option(min=1, max=86400, help="Per attempt.")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=100, help="Tries in all.")] = None,
    retry_strategy: Annotated[
        RetryStrategy | None, typer.Option(help="How the delay grows.")
    ] = None,
    retry_delays_secs: Annotated[
        list[int] | None, typer.Option("--retry-delay-secs", min=1, help="For custom; repeat.")
    ] = None,
    run_ttl_secs: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="Expire when not done by then.")
    ] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Runs at once; 0 is no limit.")
    ] = None,
    max_concurrency_per_key: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The same, per concurrency key.")
    ] = None,
    rate_limit_max: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Runs per window.")
    ] = None,
    rate_limit_window_secs: Annotated[
        int | None, typer.Option(min=0, metavar="SECONDS", help="The window of the rate.")
    ] = None,
    poison_pill_threshold: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Give a payload up after so many.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeat.")
    ] = None,
    json: Annotated[
        Text, typer.Option(metavar="FILE", help="The whole body, - for standard input.")
    ] = None,
    idempotency_key: Annotated[Text, typer.Option(help="One is made when absent.")] = None,
) -> None:
    """Create a job from flags, from a JSON file, or from both; flags win.

    $ strait jobs create --name Resize --endpoint https://svc.example/resize

    $ strait jobs create --json job.json --slug resize-eu
    """
    call = Invocation(ctx)
    fields = {key: value for key, value in ctx.params.items() if key not in _NOT_FIELDS}
    flags = {key: value for key, value in fields.items() if value not in (None, (), [])}
    if tag:
        flags["tags"] = pairs(tag, flag="--tag")
    body = _complete((_file(json) if json else {}) | flags, project=call.settings.project)
    key = idempotency_key or ids.idempotency_key()
    made = call.client.post("/v1/jobs", body, key=key)
    call.out.item(JOB, made)
    call.warn_of_ignored(body, made)


def _file(place: str) -> dict[str, Any]:
    document = read_json(read_text(place), where=place)
    if not isinstance(document, dict):
        raise ConfigError(f"{place} must hold a JSON object")
    return document


def _complete(body: dict[str, Any], *, project: str) -> dict[str, Any]:
    """Add what can be derived; refuse what nobody but the caller can know."""
    if not body.get("name"):
        raise ConfigError("a job needs a name: pass --name")
    slug = re.sub(r"[^a-z0-9]+", "-", str(body["name"]).lower()).strip("-")[:128]
    derived = {"slug": slug} | ({"project_id": project} if project else {})
    return derived | body
