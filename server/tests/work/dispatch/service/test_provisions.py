"""What a worker keeps ready of a job (behaviour 3.7; T33, T127)."""

import asyncio

import pytest
import world

from strait_server.base.errors import Invalid
from strait_server.base.outbound.urls import EndpointPolicy
from strait_server.work.dispatch.service.provisions import LONGEST_NAME, Provisions
from strait_server.work.jobs.service.definitions import Definition


@pytest.fixture
def provisions(database):
    return Provisions(database, world.SEALER, EndpointPolicy(allow_private=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://endpoint.example/work",
        "HTTP://Endpoint.EXAMPLE:80/work",
        "http://endpoint.example./work?key=secret",
    ],
)
async def test_an_endpoint_has_one_name_however_it_is_spelt(db, provisions, url):
    """T33."""
    job = await world.a_job(db, endpoint_url=url)

    provision = provisions.of(Definition(job))

    assert provision.endpoint == "http://endpoint.example:80/work"


async def test_the_names_of_long_addresses_are_short_and_differ(db, provisions):
    longest = "http://endpoint.example/" + "é" * 2000
    names = [
        provisions.of(Definition(await world.a_job(db, endpoint_url=longest + end))).endpoint
        for end in ("a", "b", "b?key=secret")
    ]

    assert [len(name) for name in names] == [LONGEST_NAME] * 3
    assert names[0] != names[1] == names[2]


async def test_a_job_is_prepared_again_when_it_changed(db, provisions):
    job = await world.a_job(db, timeout_secs=10)
    first = provisions.of(Definition(job))
    assert provisions.of(Definition(job)) is first

    await world.change_job(db, job, max_attempts=7)
    second = provisions.of(Definition(await world.the_job(db, job.id)))

    assert (first.policy.max_attempts, second.policy.max_attempts) == (3, 7)


async def test_an_address_that_is_not_allowed_any_more_is_refused(db, provisions):
    job = await world.a_job(db, endpoint_url="http://127.0.0.1/work")

    with pytest.raises(Invalid, match="invalid endpoint_url"):
        provisions.of(Definition(job))


async def test_secrets_are_read_once_for_all_who_need_them_at_once(db, provisions):
    job = Definition(await world.a_job(db))
    await world.a_secret(db, "TOKEN", "first")

    read = await asyncio.gather(*(provisions.secrets_of(job) for _ in range(20)))

    assert all(one is read[0] for one in read)
    assert provisions.kept_secrets(job.job.id) == {"TOKEN": "first"}


async def test_a_changed_secret_is_read_again_when_it_is_announced(db, provisions):
    job = Definition(await world.a_job(db))
    await world.a_secret(db, "TOKEN", "first")
    await provisions.secrets_of(job)
    await world.a_secret(db, "TOKEN", "second")

    provisions.forget_secrets("job:something else")
    assert provisions.kept_secrets(job.job.id) == {"TOKEN": "first"}
    provisions.forget_secrets("secret:whichever")

    assert provisions.kept_secrets(job.job.id) is None
    assert await provisions.secrets_of(job) == {"TOKEN": "second"}


async def test_what_was_being_read_while_it_changed_is_not_kept(db, provisions):
    job = Definition(await world.a_job(db))
    await world.a_secret(db, "TOKEN", "first")
    reading = asyncio.create_task(provisions.secrets_of(job))
    for _ in range(2):  # it asks, and the reading begins
        await asyncio.sleep(0)

    provisions.forget_secrets()
    await reading

    assert provisions.kept_secrets(job.job.id) is None
