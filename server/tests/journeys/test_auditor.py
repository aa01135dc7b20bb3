"""The auditor finds what is wrong, and nothing where all is well (behaviour Appendix C)."""

import time

import auditor
import pytest
import world

from strait_server.base import ids
from strait_server.work.queue.model import Status

RUNS = {
    ":waiting": "(select id from runs where status = 'queued')",
    ":done": "(select id from runs where status = 'completed')",
    ":nobody": "gen_random_uuid()",
}
CORRUPTIONS = {
    "a waiting run is in exactly one place": [
        "delete from queue where run_id = :waiting",
        (
            "insert into queue (priority, run_id, job_id, project_id)"
            " select priority, run_id, job_id, project_id from queue"
        ),
        "update runs set status = 'delayed' where id = :waiting",
    ],
    "only waiting runs are in a place": [
        "update queue set run_id = :done",
        "update queue set run_id = :nobody",
    ],
    "a run in a worker's hands is named by its lease": [
        "delete from leases",
        "update leases set run_ids = '{}'",
        "update runs set status = 'executing' where id = :waiting",
    ],
    "a run in nobody's hands has no lease": ["update runs set lease_id = 1 where id = :waiting"],
    "a lease belongs to a worker that is known": ["delete from workers"],
    "who holds a place at a gate is active, or waits at the next gate": [
        "insert into slots (run_id, gate, project_id) values (:done, 'job:x', 'any')",
        (
            "delete from queue; insert into slots (run_id, gate, project_id)"
            " values (:waiting, 'job:x', 'any')"
        ),
        "insert into slots (run_id, gate, project_id) values (:nobody, 'job:x', 'any')",
    ],
    "no more runs are past a gate than it has places": [
        (
            "update jobs set max_concurrency = 1; insert into slots (run_id, gate, project_id)"
            " select id, 'job:x', project_id from runs where status in ('queued', 'dequeued')"
        ),
    ],
    "every move is one of the table, and the last one is where the run stands": [
        "update runs set moves = moves[1:2] where id = :done",
        "update runs set moves = moves || run_move(0, 'queued') where id = :done",
        "update runs set moves = moves || run_move(0, 'completed') where id = :waiting",
        "update runs set moves = '{}' where id = :waiting",
    ],
    "no run ends twice": ["update runs set moves = moves || moves[4] where id = :done"],
    "moves do not go back in time": [
        "update runs set moves[4] = moves[4] - 3600::bigint * 16000000 where id = :done"
    ],
    "a run has finished exactly when it is final, and not before it started": [
        "update runs set started_at = finished_at + interval '1 second' where id = :done"
    ],
    "no run has more attempts than its job allows": [
        "update runs set attempt = 4 where id = :done"
    ],
    "the list of unsuccessful runs is complete and correct": [
        "delete from unsuccessful_runs",
        "update unsuccessful_runs set status = 'failed'",
        "update unsuccessful_runs set run_id = :done",
    ],
    "every run has a payload, and every payload a run": [
        "delete from run_payloads where run_id = :done",
        "delete from runs where id = :done",
    ],
    "payloads and events name the project of their run": [
        "update run_payloads set project_id = 'any' where run_id = :done",
        (
            "insert into run_events (id, run_id, project_id, type, level)"
            " values (gen_random_uuid(), :done, 'any', 'log', 'info')"
        ),
    ],
    "an idempotency key stands for one run, and that run has it": [
        (
            "insert into idempotency_keys (job_id, key, run_id)"
            " select job_id, 'k', id from runs where id = :done"
        ),
        "update runs set idempotency_key = 'k'",
    ],
    "a bulk trigger made all of its runs, or none": [
        "update runs set batch_id = :nobody where id = :done",
        (
            "insert into batch_operations (id, project_id, job_id, item_count, created_count)"
            " select :nobody, project_id, id, 2, 2 from jobs"
        ),
    ],
    "no row is outside the months": [
        (
            "insert into run_events (id, run_id, project_id, type, level)"
            " values ('00000000-0000-7000-8000-000000000000', :nobody, 'any', 'log', 'info')"
        ),
    ],
}


CALLS = {
    "only runs that exist are sent": [("strange", 1, 0.0, 200)],
    "a completed run was answered with success": [("completed", 1, 0.0, 500)],
    "attempts are sent in their order": [("dead", 2, 0.0, 500), ("dead", 1, 0.1, 500)],
    "an attempt is sent once, unless somebody was killed": [
        ("dead", 1, 0.0, 500),
        ("dead", 1, 1.0, 500),
    ],
    "no attempt is sent before the run has reached it": [("completed", 2, 0.0, 200)],
    "no run is sent after its end": [("completed", 1, 1.0, 200)],
}


class Call:
    """A call as an endpoint remembers it, `at` seconds from now."""

    def __init__(self, run_id, attempt, at, status):
        self.run_id, self.attempt, self.status = run_id, attempt, status
        self.at, self.wall = at, time.time() + at


@pytest.fixture
async def runs(raw, db):
    """Make a run that is in a worker's hands, one completed, a dead letter, and one that waits."""
    job = await world.a_job(db)
    runs = {
        "taken": await world.a_run(db, job=job, status=Status.DEQUEUED),
        "completed": await world.a_run(db, job=job, status=Status.COMPLETED),
        "dead": await world.a_run(db, job=job, status=Status.DEAD_LETTER),
        "waiting": await world.a_run(db, job=job),
    }
    await raw.execute(
        "insert into workers (id, lock_id, host, pid, concurrency, alive_until)"
        " select worker_id, id, '', 1, 1, now() from leases"
    )
    return {name: run.id for name, run in runs.items()} | {"strange": ids.new_id()}


async def test_where_all_is_well_nothing_is_found(raw, runs):
    assert await auditor.look(raw, "places", "always") == []


@pytest.mark.parametrize(
    ("rule", "corruption"),
    [(rule, corruption) for rule, ways in CORRUPTIONS.items() for corruption in ways],
)
async def test_what_is_wrong_in_the_tables_is_found(raw, runs, rule, corruption):
    for name, run in RUNS.items():
        corruption = corruption.replace(name, run)
    await raw.execute(corruption)

    found = await auditor.look(raw, "places", "always")

    assert rule in {violation.rule for violation in found}


def test_every_rule_is_tested():
    sentences = {rule.sentence for rule in auditor.RULES if rule.kind != "rest"}

    assert sentences == CORRUPTIONS.keys()


async def test_what_is_not_at_its_end_is_found(raw, runs):
    found = await auditor.look(raw, "rest")

    assert {violation.rule for violation in found} == {
        rule.sentence for rule in auditor.RULES if rule.kind == "rest"
    }


@pytest.mark.parametrize("rule", CALLS)
async def test_what_an_endpoint_should_not_have_heard_is_found(raw, runs, rule):
    calls = [Call(runs[name], *heard) for name, *heard in CALLS[rule]]

    found = await auditor.audit(raw, calls=calls)

    assert rule in {violation.rule for violation in found}


async def test_a_fault_excuses_a_second_call(raw, runs):
    calls = [Call(runs["dead"], 1, at, 500) for at in (0.0, 1.0)]

    found = await auditor.audit(raw, calls=calls, faults=[0.5])

    assert "an attempt is sent once, unless somebody was killed" not in {one.rule for one in found}


async def test_a_promise_that_was_not_kept_is_found(raw, runs):
    found = await auditor.audit(raw, promised=[runs["strange"], runs["dead"], runs["dead"]])

    assert {
        "a run that was promised is there",
        "a run is made for one trigger",
    } <= {violation.rule for violation in found}
