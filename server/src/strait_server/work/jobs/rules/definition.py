"""What a definition may say, and what becomes of what was said (api 9.3, behaviour 4.1, 4.2).

A whole definition is judged, as it would stand: so a patch is held to the same
rules as a new job, and rules that tie two fields have one home. Whether an
endpoint may be called is not judged here: its URL must be looked up first.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, fields, replace

from strait_server.base.canonical import canonical
from strait_server.base.cron import CronError, parse
from strait_server.base.errors import Invalid
from strait_server.base.ids import as_id
from strait_server.work.jobs.model import (
    HTTP,
    LENGTHS,
    MANAGED,
    MANY,
    MAX_DELAYS,
    MAX_LIMIT_KEYS,
    MAX_SECRET,
    MAX_ZONE,
    METADATA,
    RANGES,
    RETRY_STRATEGIES,
    SLUG,
    TAGS,
    CloneJob,
    Extent,
    Job,
    JobDefaults,
    JobTerms,
    UpdateJob,
)
from strait_server.work.jobs.rules.schemas import compile_schema

Terms = TypeVar("Terms", bound=JobTerms)

GATING: Final = frozenset({"enabled", "max_concurrency", "max_concurrency_per_key"})
"""What decides where waiting runs wait."""
UNVERSIONED: Final = frozenset({"enabled"})
"""What makes no new version when it changes (behaviour 16.1)."""

_TERMS: Final = tuple(field.name for field in fields(JobTerms))
_SAID: Final = tuple(field.name for field in fields(UpdateJob) if field.name in _TERMS)

_PATH_WORDS: Final = frozenset({"batch", "batch-enable", "batch-disable"})
_SLUG: Final = re.compile(SLUG, re.ASCII)
_LOCAL_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})  # another on each machine

_FAILED: Final = "validation failed"


class _Finding(NamedTuple):
    """One thing that is wrong. If it is the only one, `verdict` says it all (api 9.3)."""

    path: str
    rule: str
    verdict: str = _FAILED


def blank(job_id: UUID, project_id: str, defaults: JobDefaults) -> JobTerms:
    """Begin a job of which nothing has been said."""
    return JobTerms(
        id=job_id,
        project_id=project_id,
        name="",
        slug="",
        endpoint_url="",
        max_attempts=defaults.max_attempts,
        timeout_secs=defaults.timeout_secs,
        enabled=True,
        retry_strategy="exponential",
        retry_priority_boost=1,
        max_concurrency=defaults.max_concurrency,
    )


def amended(terms: Terms, said: UpdateJob, defaults: JobDefaults) -> Terms:
    """Write what was said over the terms. Null and empty values bring the default back."""
    untold = blank(terms.id, terms.project_id, defaults)
    values: dict[str, Any] = {}
    for name in _SAID:
        value = getattr(said, name)
        if value is not UNSET:
            kept = _kept(value)
            values[name] = getattr(untold, name) if kept is None else kept
    if values.get("poison_pill_threshold") == 0:
        values["poison_pill_threshold"] = None
    return replace(terms, **values)


def copied(job: Job, job_id: UUID, said: CloneJob) -> JobTerms:
    """Take over every term under another id, name and slug."""
    terms = {name: value for name, value in asdict(job).items() if name in _TERMS}
    terms["id"] = job_id
    terms["name"] = said.name or f"{job.name[: LENGTHS['name'][1] - 7]} (copy)"
    terms["slug"] = said.slug or f"{job.slug[: LENGTHS['slug'][1] - 5]}-copy"
    return JobTerms(**terms)


def changes(before: JobTerms, after: JobTerms) -> frozenset[str]:
    """Name the fields that differ. Another spelling of the same JSON is no difference."""
    return frozenset(
        name for name in _TERMS if _plain(getattr(before, name)) != _plain(getattr(after, name))
    )


def check(terms: JobTerms, said: UpdateJob | None = None) -> None:
    """Raise `Invalid` with everything that is wrong, unless nothing is.

    Of what was said, only what became no term is judged.
    """
    findings = [
        *_texts(terms),
        *_numbers(terms),
        *_retries(terms),
        *_rate_limits(terms),
        *_times(terms),
        *_schemas(terms),
        *_labels("tags", terms.tags, TAGS),
        *_labels("default_run_metadata", terms.default_run_metadata, METADATA),
        *_reserved(terms),
        *(_besides(said) if said else ()),
    ]
    if findings:
        raise Invalid(
            findings[0].verdict if len(findings) == 1 else _FAILED,
            problems=[f"{finding.path}: {finding.rule}" for finding in findings],
        )


def _kept(value: Any) -> Any:
    """Bring a value to the form of a row; None: it says nothing."""
    if isinstance(value, msgspec.Raw):
        return None if bytes(value).strip() == b"null" else value
    if isinstance(value, dict):
        return msgspec.Raw(msgspec.json.encode(value)) if value else None
    return None if value in ("", ()) else value


def _plain(value: Any) -> Any:
    return canonical(bytes(value)) if isinstance(value, msgspec.Raw) else value


def _texts(terms: JobTerms) -> Iterator[_Finding]:
    for name, (shortest, longest) in LENGTHS.items():
        text = getattr(terms, name) or ""
        if len(text.strip()) < shortest:
            yield _Finding(name, "failed on 'required'")
        elif len(text) > longest:
            yield _too_long(name, longest)
    if terms.slug in _PATH_WORDS:
        yield _Finding("slug", "is reserved")
    elif as_id(terms.slug) is not None:
        yield _Finding("slug", "must not look like an id")
    elif terms.slug.strip() and not _SLUG.fullmatch(terms.slug):
        yield _Finding(
            "slug", "must consist of letters, digits and - _ . : ~, the first a letter or digit"
        )


def _numbers(terms: JobTerms) -> Iterator[_Finding]:
    for name, bounds in RANGES.items():
        value = getattr(terms, name)
        if value is not None:
            yield from _outside(name, value, bounds)


def _retries(terms: JobTerms) -> Iterator[_Finding]:
    if terms.retry_strategy not in RETRY_STRATEGIES:
        yield _Finding("retry_strategy", f"must be one of {', '.join(RETRY_STRATEGIES)}")
    delays = terms.retry_delays_secs or ()
    if terms.retry_strategy == "custom" and not delays:
        yield _Finding("retry_delays_secs", "must not be empty when retry_strategy is custom")
    if len(delays) > MAX_DELAYS:
        yield _Finding("retry_delays_secs", f"must have at most {MAX_DELAYS} entries")
    for index, delay in enumerate(delays[:MAX_DELAYS]):
        yield from _outside(f"retry_delays_secs[{index}]", delay, (1, MANY))


def _rate_limits(terms: JobTerms) -> Iterator[_Finding]:
    if terms.rate_limit_max > 0 and terms.rate_limit_window_secs == 0:
        yield _Finding("rate_limit_window_secs", "must be positive when rate_limit_max is")
    if terms.rate_limit_window_secs > 0 and terms.rate_limit_max == 0:
        yield _Finding("rate_limit_max", "must be positive when rate_limit_window_secs is")
    keys = terms.rate_limit_keys or ()
    if len(keys) > MAX_LIMIT_KEYS:
        yield _Finding("rate_limit_keys", f"must have at most {MAX_LIMIT_KEYS} entries")
    for index, key in enumerate(keys[:MAX_LIMIT_KEYS]):
        path = f"rate_limit_keys[{index}]"
        if not key.name:
            yield _Finding(f"{path}.name", "failed on 'required'")
        elif len(key.name) > METADATA.key:
            yield _too_long(f"{path}.name", METADATA.key)
        yield from _outside(f"{path}.max", key.max, (1, MANY))
        yield from _outside(f"{path}.window_secs", key.window_secs, (1, MANY))
        if any((one.name, one.window_secs) == (key.name, key.window_secs) for one in keys[:index]):
            yield _Finding(path, "another entry has this name and window_secs")


def _times(terms: JobTerms) -> Iterator[_Finding]:
    window = terms.execution_window_cron
    if window and len(window) <= LENGTHS["execution_window_cron"][1]:
        try:
            parse(window)
        except CronError as error:
            verdict = "invalid execution_window_cron expression"
            yield _Finding("execution_window_cron", str(error), verdict)
    if terms.timezone and not _is_zone(terms.timezone):
        yield _Finding("timezone", "must be the name of an IANA time zone")


def _is_zone(name: str) -> bool:
    if name in _LOCAL_ZONES or len(name) > MAX_ZONE:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        return False
    return True


def _schemas(terms: JobTerms) -> Iterator[_Finding]:
    for name in ("payload_schema", "result_schema"):
        raw: msgspec.Raw | None = getattr(terms, name)
        if raw is not None:
            try:
                compile_schema(bytes(raw))
            except Invalid as refusal:
                for problem in refusal.problems or ("",):
                    yield _Finding(name, f"{refusal.message}: {problem}".removesuffix(": "))


def _labels(field: str, raw: msgspec.Raw | None, extent: Extent) -> Iterator[_Finding]:
    labels = _decoded(raw)
    if len(labels) > extent.entries:
        yield _Finding(field, f"must have at most {extent.entries} entries")
        return
    for key, value in labels.items():
        path = f"{field}.{key[: extent.key]}"
        if not 1 <= len(key) <= extent.key:
            yield _Finding(path, f"the key must have 1 to {extent.key} characters")
        if len(value) > extent.value:
            yield _too_long(path, extent.value)


def _reserved(terms: JobTerms) -> Iterator[_Finding]:
    for key in _decoded(terms.default_run_metadata):
        if key.startswith("_"):
            yield _Finding(
                f"default_run_metadata.{key[: METADATA.key]}",
                "keys that start with _ are reserved",
            )


def _besides(said: UpdateJob) -> Iterator[_Finding]:
    secret, mode = said.endpoint_secret, said.execution_mode
    if secret is not UNSET and len(secret or "") > MAX_SECRET:
        yield _too_long("endpoint_secret", MAX_SECRET)
    if mode == MANAGED:
        yield _Finding(
            "execution_mode",
            f"must be {HTTP}: managed execution is not available",
            "managed execution is not available: COMPUTE_RUNTIME not configured",
        )
    elif mode is not UNSET and mode not in {None, "", HTTP}:
        yield _Finding("execution_mode", f"must be {HTTP}")


def _decoded(raw: msgspec.Raw | None) -> dict[str, str]:
    return {} if raw is None else msgspec.json.decode(raw, type=dict[str, str])


def _outside(path: str, value: int, bounds: tuple[int, int]) -> Iterator[_Finding]:
    low, high = bounds
    if not low <= value <= high:
        yield _Finding(path, f"must be between {low} and {high}")


def _too_long(path: str, limit: int) -> _Finding:
    return _Finding(path, f"must have at most {limit} characters")
