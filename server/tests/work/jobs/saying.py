"""What callers say of a job, and the terms that it leads to."""

import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from strait_server.work.jobs.model import CreateJob, Job, JobDefaults, UpdateJob
from strait_server.work.jobs.rules import definition

ID = UUID("01980000-0000-7000-8000-000000000001")
DEFAULTS = JobDefaults()
BLANK = definition.blank(ID, "p1", DEFAULTS)
SOUND = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}
MANY = 2_147_483_647


def said(kind=UpdateJob, /, **fields):
    """Say something as callers do: in JSON."""
    return msgspec.json.decode(json.dumps(fields).encode(), type=kind)


def terms(**fields):
    return definition.amended(BLANK, said(CreateJob, **{**SOUND, **fields}), DEFAULTS)


def a_job(**fields):
    return Job(
        **msgspec.structs.asdict(terms(**fields)),
        version=1,
        version_id="ver_000000000000",
        paused=False,
        execution_mode="http",
        created_at=datetime(2026, 1, 5, tzinfo=UTC),
        updated_at=datetime(2026, 1, 5, tzinfo=UTC),
    )
