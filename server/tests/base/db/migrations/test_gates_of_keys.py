"""Migration 0016: what it does to the gates at which runs stand."""

from uuid import UUID

import pytest

from strait_server.base import ids
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate
from strait_server.work.queue.model import key_gate

JOB = UUID("01980000-0000-7000-8000-000000000001")
KEYS = [
    ("a", "b:c"),
    ("a:b", "c"),
    ("1:a", ":"),
    ("a%", "k"),
    ("a_", "k"),
    ("\\", "k"),
    ("é😀", "ü"),
]


@pytest.fixture
async def migrate_to(raw):
    async def _migrate_to(version):
        await migrate(raw, load_migrations()[:version], lock_seconds=1)

    return _migrate_to


async def stand_everywhere(raw, project_id, gate, next_gate):
    """Let runs hold a place at a gate, wait at it, and be due there later."""
    run_id = ids.new_id()
    await raw.execute(
        "insert into slots (run_id, gate, project_id) values ($1, $2, $3)", run_id, gate, project_id
    )
    for place, columns, values in (
        ("blocked", "rank", "1"),
        ("scheduled", "due_at, reason", "now(), 'delay'"),
    ):
        await raw.execute(
            f"insert into {place} "  # noqa: S608 - written above
            f"(run_id, gate, next_gate, project_id, job_id, priority, {columns}) "
            f"values ($1, $2, $3, $4, $5, 0, {values})",
            run_id,
            gate,
            next_gate,
            project_id,
            JOB,
        )
    return run_id


async def gates(raw, run_id):
    """Tell every gate that a run is at, and where it goes next."""
    found = await raw.fetch(
        "select gate, null as next_gate from slots where run_id = $1 "
        "union all select gate, next_gate from blocked where run_id = $1 "
        "union all select gate, next_gate from scheduled where run_id = $1",
        run_id,
    )
    return [tuple(row) for row in found]


async def test_0016_renames_the_gates_of_keys_wherever_runs_stand(raw, migrate_to):
    await migrate_to(15)
    job_gate = f"job:{JOB}"
    run_ids = {
        (project_id, key): await stand_everywhere(
            raw, project_id, f"key:{project_id}:{key}", job_gate
        )
        for project_id, key in KEYS
    }

    await migrate_to(16)

    for (project_id, key), run_id in run_ids.items():
        gate = key_gate(project_id, key)
        assert await gates(raw, run_id) == [(gate, None), (gate, job_gate), (gate, job_gate)]


async def test_0016_renames_the_gate_that_comes_next(raw, migrate_to):
    await migrate_to(15)
    run_id = await stand_everywhere(raw, "a:b", f"job:{JOB}", "key:a:b:c")

    await migrate_to(16)

    assert await gates(raw, run_id) == [
        (f"job:{JOB}", None),
        (f"job:{JOB}", "key:3:a:b:c"),
        (f"job:{JOB}", "key:3:a:b:c"),
    ]


async def test_0016_leaves_other_gates_as_they_are(raw, migrate_to):
    await migrate_to(15)
    at_job = await stand_everywhere(raw, "key", f"job:{JOB}", None)
    at_pause = await stand_everywhere(raw, "pause", f"pause:{JOB}", None)
    await raw.execute("update scheduled set gate = null where run_id = $1", at_pause)

    await migrate_to(16)

    assert await gates(raw, at_job) == [(f"job:{JOB}", None)] * 3
    assert await gates(raw, at_pause) == [(f"pause:{JOB}", None)] * 2 + [(None, None)]
