"""What the copy of a job takes over (api 9.3, behaviour 16.1)."""

from datetime import UTC, datetime

import msgspec

from strait_server.base import ids
from strait_server.work.jobs.model import CloneJob, CreateJob, Job, JobDefaults
from strait_server.work.jobs.rules import definition

NOW = datetime(2026, 1, 5, tzinfo=UTC)
COPY_ID = ids.floor_id(NOW)


def a_job(**fields):
    sound = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}
    blank = definition.blank(ids.new_id(), "p1", JobDefaults())
    terms = definition.amended(blank, CreateJob(**{**sound, **fields}), JobDefaults())
    return Job(
        **msgspec.structs.asdict(terms),
        version=4,
        version_id="ver_000000000000",
        paused=True,
        execution_mode="http",
        created_at=NOW,
        updated_at=NOW,
    )


def test_a_copy_takes_over_every_term():
    job = a_job(tags={"team": "media"}, max_concurrency=4, payload_schema=msgspec.Raw(b"{}"))

    copy = definition.copied(job, COPY_ID, CloneJob(name="Shrink", slug="shrink"))

    assert definition.changes(job, copy) == {"id", "name", "slug"}
    assert (copy.id, copy.name, copy.slug) == (COPY_ID, "Shrink", "shrink")


def test_a_copy_without_a_name_is_called_a_copy():
    copy = definition.copied(a_job(), COPY_ID, CloneJob())

    assert (copy.name, copy.slug) == ("Resize (copy)", "resize-copy")


def test_the_copy_of_a_long_name_still_fits():
    job = a_job(name="n" * 255, slug="s" * 128)

    definition.check(definition.copied(job, COPY_ID, CloneJob(name="", slug="")))
