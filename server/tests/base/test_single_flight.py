"""One question for all who ask at once."""

import asyncio

import pytest

from strait_server.base.single_flight import SingleFlight


class Oracle:
    """Answers with how often it was asked, as soon as it may."""

    def __init__(self):
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.fails = False

    async def answer(self):
        self.asked += 1
        answer = self.asked
        await self.may_answer.wait()
        if self.fails:
            raise LookupError(answer)
        return answer


@pytest.fixture
def oracle():
    return Oracle()


async def ask(flights, oracle, *keys):
    asking = [asyncio.create_task(flights.do(key, oracle.answer)) for key in keys]
    while oracle.asked < len(set(keys)):
        await asyncio.sleep(0)
    return asking


async def test_who_asks_at_once_shares_an_answer_and_each_key_has_its_own(oracle):
    asking = await ask(SingleFlight(), oracle, "a", "b", "a", "b")
    oracle.may_answer.set()

    assert await asyncio.gather(*asking) == [1, 2, 1, 2]


async def test_nothing_is_remembered(oracle):
    flights = SingleFlight()
    oracle.may_answer.set()

    assert await flights.do("a", oracle.answer) == 1
    assert await flights.do("a", oracle.answer) == 2


async def test_a_failure_is_everybodys_and_is_not_remembered_either(oracle):
    flights = SingleFlight()
    oracle.fails = True
    asking = await ask(flights, oracle, "a", "a")
    oracle.may_answer.set()

    failures = await asyncio.gather(*asking, return_exceptions=True)
    oracle.fails = False

    assert [type(one) for one in failures] == [LookupError, LookupError]
    assert await flights.do("a", oracle.answer) == 2


async def test_who_gives_up_leaves_the_others_their_answer(oracle):
    first, second = await ask(SingleFlight(), oracle, "a", "a")
    first.cancel()
    oracle.may_answer.set()

    assert await second == 1
    assert first.cancelled()


async def test_who_asks_after_a_change_gets_no_answer_of_before(oracle):
    flights = SingleFlight()
    [early] = await ask(flights, oracle, "a")
    flights.forget()
    late = asyncio.create_task(flights.do("a", oracle.answer))
    while oracle.asked < 2:
        await asyncio.sleep(0)
    oracle.may_answer.set()

    assert (await early, await late) == (1, 2)


async def test_a_failure_that_nobody_waits_for_is_not_complained_about(oracle):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    oracle.fails = True
    [asking] = await ask(SingleFlight(), oracle, "a")
    asking.cancel()
    oracle.may_answer.set()

    await asyncio.wait([asking])
    for _ in range(3):
        await asyncio.sleep(0)
    del asking

    assert complaints == []
