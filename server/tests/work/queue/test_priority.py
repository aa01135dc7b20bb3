"""Who goes first (behaviour 2.3), as the claims hand runs out."""

from fractions import Fraction
from random import Random

import pytest
import world

NOW = 1_767_607_200_000_000
HOUR = 3_600_000_000


def births(seed, count=40):
    """Births up to three days ago, often a whole number of hours apart, so that ties happen."""
    random = Random(seed)
    born = random.sample(
        [NOW - hours * HOUR - micros for hours in range(73) for micros in range(2)], count
    )
    return [(each, random.randint(0, 10)) for each in born]


async def handed_out(db, waiting, *, worth):
    """Claim one run after the other: the births and priorities in the order of the claims."""
    job = await world.a_job(db)
    told = {}
    for born, priority in waiting:
        [run] = await world.queued(db, job, 1, priority=priority)
        await db.raw.execute("update queue set ord = $2 where run_id = $1", run.id, born)
        told[run.id] = (born, priority)
    order = []
    while claimed := await world.claim(db, 1, worth=worth):
        order += [told[run.id] for run in claimed]
    return order


@pytest.mark.parametrize("seed", range(5))
async def test_claims_go_by_priority_plus_age(db, seed):
    """One hour of age is one point; equal sums go by birth."""

    def as_specified(run):
        born, priority = run
        return -(priority + Fraction(NOW - born, HOUR)), born

    waiting = births(seed)

    assert await handed_out(db, waiting, worth=world.WORTH) == sorted(waiting, key=as_specified)


@pytest.mark.parametrize("seed", range(5))
async def test_without_aging_no_wait_outweighs_a_point(db, seed):
    waiting = births(seed)

    order = await handed_out(db, waiting, worth=world.NO_AGING)

    assert order == sorted(waiting, key=lambda run: (-run[1], run[0]))


async def test_ten_hours_of_waiting_beat_a_fresh_run_of_the_highest_priority(db):
    old, fresh = (NOW - 10 * HOUR - 1, 0), (NOW, 10)

    assert await handed_out(db, [fresh, old], worth=world.WORTH) == [old, fresh]
    assert await handed_out(db, [old, fresh], worth=world.NO_AGING) == [fresh, old]


@pytest.mark.parametrize("worth", [world.WORTH, world.NO_AGING], ids=["aging", "no aging"])
async def test_the_ranks_of_any_birth_and_priority_fit_a_bigint(db, worth):
    """The lowest rank there is comes from the oldest birth, the highest from the newest."""
    extremes = [(2**56 - 1, 0), (2**56 - 1, 10), (0, 0), (0, 10)]

    order = await handed_out(db, extremes, worth=worth)

    assert order == sorted(extremes, key=lambda run: (run[0] - run[1] * worth, run[0]))
    assert all(-(2**63) <= born - priority * worth < 2**63 for born, priority in extremes)
