"""Hot statements find everything through an index, whatever the tables hold (design 5.3).

Plans are taken as the worker's lines take them: pinned, and generic, because a
prepared statement ends up with a generic plan. They are those of a new database:
in the one that tests share it matters what others left behind.
"""

import re

import pytest

from strait_server.base.db.database import PINNED_PLANS
from strait_server.base.db.queries import load_queries

ROOM = "strait_server.work.queue.store"
HOT = {
    ("claim", "claim_1"): {"queue_in_order", "runs_pkey", "run_payloads_pkey", "jobs_pkey"},
    ("claim", "claim_100"): {"queue_in_order", "runs_pkey", "run_payloads_pkey", "jobs_pkey"},
    ("outcomes", "start"): {"runs_pkey"},
    ("outcomes", "finish"): {"runs_pkey", "leases_pkey"},
    ("outcomes", "requeue"): {"runs_pkey", "leases_pkey"},
    ("gates", "promote"): {"blocked_in_order", "slots_by_gate", "jobs_pkey"},
    ("gates", "release"): {"slots_pkey"},
    ("waiting", "move_due"): {"scheduled_by_time", "scheduled_pkey", "runs_pkey"},
    ("sdk", "beat"): {"runs_pkey"},
    ("sdk", "conclude"): {"runs_pkey", "jobs_pkey"},
}

# Not on a worker's lines, whose plans are pinned: PostgreSQL may hash what it joins there.
ON_A_TIMER = {("waiting", "move_due")}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("statement", HOT, ids=lambda key: key[1])
async def test_a_hot_statement_uses_its_indexes_and_scans_no_table(db, statement):
    store, name = statement
    await _pin(db)
    query = load_queries(f"{ROOM}.{store}")[name]

    plan = await _generic_plan(db, query)

    used = {
        _without_month(index) for index in re.findall(r"Index (?:Only )?Scan.* using (\S+)", plan)
    }
    scanned = {
        table for table in re.findall(r"Seq Scan on (\S+)", plan) if table not in _temporary(query)
    }
    assert HOT[statement] <= used, plan
    assert not scanned, plan


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("statement", sorted(HOT.keys() - ON_A_TIMER), ids=lambda key: key[1])
async def test_a_hot_statement_does_not_hold_every_row_of_a_batch_against_every_other(
    db, statement
):
    """A batch of 500 would be compared 250,000 times; what is hashed is looked up."""
    store, name = statement
    await _pin(db)

    plan = await _generic_plan(db, load_queries(f"{ROOM}.{store}")[name])

    assert not re.findall(r"Join Filter: .*\bid = .*", plan), plan
    assert not re.findall(r"Filter: .*(?<!hashed )SubPlan.*", plan), plan


async def _pin(db):
    for setting, value in PINNED_PLANS.items():
        await db.raw.execute(f"set {setting} = {value}")


async def _generic_plan(db, query):
    await db.raw.execute("set plan_cache_mode = force_generic_plan")
    await db.raw.execute(f"prepare hot as {query.text}")
    nulls = ", ".join("null" for _ in query.params)
    rows = await db.raw.fetch(f"explain execute hot({nulls})" if nulls else "explain execute hot")
    await db.raw.execute("deallocate hot")
    return "\n".join(row[0] for row in rows)


def _without_month(index):
    return re.sub(r"_(\d{4}_\d{2}|default)", "", index)


def _temporary(query):
    """Names of the statement's own CTEs, which are not tables."""
    return set(re.findall(r"(\w+) as (?:materialized )?\(", query.text))
