"""Lists and reads find everything through an index, whatever there is (design 5.2, ADR 0005).

As in the queue's test of plans: generic plans, of a new database, and no table to scan.
`leases` are read whole where it says so: they are narrow, and few.
"""

import re
from collections import Counter

import pytest

from strait_server.base.db.database import PINNED_PLANS
from strait_server.base.db.queries import load_queries
from strait_server.base.ids import new_id
from strait_server.work.runs.rules.stretch import HIGHEST, LOWEST

ROOM = "strait_server.work"
HOT = {
    ("runs", "reads", "read"): {"runs_pkey", "run_payloads_pkey", "jobs_pkey"},
    ("runs", "reads", "read_one"): {"runs_pkey", "run_payloads_pkey", "jobs_pkey"},
    ("runs", "reads", "moves"): {"runs_pkey"},
    ("runs", "reads", "told"): {"run_events_run_id_id_idx"},
    ("runs", "lists", "find_0"): {"runs_project_id_id_idx"},
    ("runs", "lists", "find_1"): {"runs_job_id_id_idx"},
    ("runs", "lists", "find_2"): {"runs_batch_id_id_idx"},
    ("runs", "lists", "find_3"): {"runs_project_id_id_idx"},
    ("runs", "lists", "edge"): {"runs_project_id_id_idx"},
    ("runs", "lists", "children"): {"runs_parent_run_id_id_idx"},
    ("runs", "lists", "candidates"): {
        "queue_by_project",
        "unsuccessful_runs_by_project",
        "unsuccessful_runs_by_job",
    },
    ("queue", "sdk", "beat"): {"runs_pkey"},
    ("queue", "sdk", "conclude"): {"runs_pkey", "jobs_pkey"},
    ("queue", "sdk", "standing"): {"runs_pkey"},
    ("queue", "events", "insert"): {"runs_pkey"},
    ("queue", "events", "trim"): {"run_events_run_id_id_idx"},
    ("queue", "retention", "retire"): {
        "runs_pkey",
        "run_payloads_pkey",
        "run_events_run_id_id_idx",
    },
}
NOW = f"'{new_id()}'"
ARGUMENTS = {
    "id": NOW,
    "run_id": NOW,
    "ids": f"array[{NOW}::uuid]",
    "before": f"'{HIGHEST}'",
    "floor": f"'{LOWEST}'",
    "after": f"'{LOWEST}'",
    "after_id": f"'{LOWEST}'",
    "project_id": "'proj_1'",
    "job_id": NOW,
    "batch_id": NOW,
    "parent_id": NOW,
}
"""What decides about partitions must have a value, or none is left in the plan."""
READ_WHOLE = {("runs", "lists", "candidates"): {"leases"}}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("statement", HOT, ids=lambda key: f"{key[1]}.{key[2]}")
async def test_a_statement_uses_its_indexes_and_scans_no_table(db, statement):
    room, store, name = statement
    for setting, value in PINNED_PLANS.items():
        await db.raw.execute(f"set {setting} = {value}")
    query = load_queries(f"{ROOM}.{room}.store.{store}")[name]

    plan = await _generic_plan(db, query)

    used = {
        _without_month(name) for name in re.findall(r"Index (?:Only )?Scan.* using (\S+)", plan)
    }
    scanned = set(re.findall(r"Seq Scan on (\w+)", plan)) - READ_WHOLE.get(statement, set())
    assert HOT[statement] <= used, plan
    assert not scanned, plan


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["told", "find_0", "find_1", "find_2", "find_3", "read_one"])
async def test_whoever_is_held_to_a_project_looks_at_no_other_rows_for_it(db, name):
    """Policies compare a column: one that asks another table does so for every row (ADR 0006)."""
    store = "lists" if name.startswith("find") else "reads"
    query = load_queries(f"{ROOM}.runs.store.{store}")[name]

    owners = await _generic_plan(db, query)
    await db.raw.execute("set role strait_tenant")
    tenants = await _generic_plan(db, query)

    assert "current_setting" in tenants
    assert _looked_at(tenants) == _looked_at(owners), tenants


def _looked_at(plan):
    """Name the tables that a plan reads, as often as it does, and count its subplans."""
    tables = re.findall(r"Scan(?: using \S+)? on ((?:run|job)[a-z_]*?)_?[\d_]*(?:default)?\b", plan)
    return Counter(tables), len(re.findall(r"^ *SubPlan", plan, re.MULTILINE))


async def _generic_plan(db, query):
    await db.raw.execute("set plan_cache_mode = force_generic_plan")
    await db.raw.execute(f"prepare hot as {query.text}")
    arguments = ", ".join(ARGUMENTS.get(name, "null") for name in query.params)
    rows = await db.raw.fetch(f"explain execute hot({arguments})")
    await db.raw.execute("deallocate hot")
    return "\n".join(row[0] for row in rows)


def _without_month(index):
    return re.sub(r"_(\d{4}_\d{2}|default)", "", index)
