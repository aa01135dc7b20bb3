"""The curated columns of each resource, most telling first: a narrow screen drops the last."""

from typing import Final

from strait_cli.output.columns import Kind, Resource, column

_ID: Final = column("ID")
_STATUS: Final = column("STATUS", kind=Kind.STATUS)
_CREATED: Final = column("CREATED", "created_at", kind=Kind.TIME)

JOB: Final = Resource(
    (
        _ID,
        column("SLUG"),
        column("ENABLED"),
        column("PAUSED"),
        column("ENDPOINT", "endpoint_url", kind=Kind.LONG),
        column("NAME", kind=Kind.LONG),
        column("VERSION"),
        _CREATED,
    )
)
RUN: Final = Resource(
    (
        _ID,
        column("JOB", "job_slug", "job_id"),
        _STATUS,
        _CREATED,
        column("ATTEMPT"),
        column("ERROR", kind=Kind.LONG),
        column("FINISHED", "finished_at", kind=Kind.TIME),
        column("TRIGGER", "triggered_by"),
    )
)
TRIGGERED: Final = Resource(
    (_ID, _STATUS, column("REPEATED", "idempotency_hit")),
    aside=frozenset({"run_token", "payload_hash"}),
)
EVENT: Final = Resource(
    (
        column("TIME", "created_at", kind=Kind.TIME),
        column("LEVEL"),
        column("TYPE"),
        column("MESSAGE", kind=Kind.LONG),
        column("DATA", kind=Kind.LONG),
    )
)
GATE: Final = Resource(
    (
        column("GATE"),
        column("BLOCKING"),
        column("DETAIL", kind=Kind.LONG),
        column("ACTION", kind=Kind.LONG),
        column("HELD BY", kind=Kind.LONG),
        column("UNTIL", kind=Kind.TIME),
        column("SINCE", kind=Kind.TIME),
    )
)
OUTCOME: Final = Resource((_ID, _STATUS, column("ERROR", kind=Kind.LONG)))
KEY: Final = Resource(
    (
        _ID,
        column("NAME"),
        column("PREFIX", "key_prefix"),
        column("SCOPES", kind=Kind.LONG),
        column("USED", "last_used_at", kind=Kind.TIME),
        column("EXPIRES", "expires_at", kind=Kind.TIME),
        column("REVOKED", "revoked_at", kind=Kind.TIME),
    )
)
NEW_KEY: Final = Resource((_ID, column("NAME"), column("KEY"), column("SCOPES")))
PROJECT: Final = Resource((_ID, column("NAME"), column("ORG", "org_id"), _CREATED))
SECRET: Final = Resource(
    (
        _ID,
        column("KEY", "secret_key"),
        column("ENVIRONMENT"),
        column("JOB", "job_id"),
        column("VERSION", "key_version"),
        column("UPDATED", "updated_at", kind=Kind.TIME),
    )
)
STATS: Final = Resource((column("QUEUED"), column("EXECUTING"), column("DELAYED")))
HEALTH: Final = Resource(
    (_STATUS, column("VERSION"), column("EDITION"), column("UPTIME", "uptime_seconds"))
)
SCHEMA: Final = Resource((_STATUS, column("APPLIED"), column("PENDING")))
SETTING: Final = Resource(
    (
        column("NAME"),
        column("VALUE", kind=Kind.LONG),
        column("SOURCE"),
        column("HELP", kind=Kind.LONG),
    )
)
VERSION: Final = Resource((column("NAME"), column("VERSION"), column("PYTHON"), column("PLATFORM")))
