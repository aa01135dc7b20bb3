"""How often somebody may ask (behaviour 13.6; T112)."""

import pytest

from strait_server.base.errors import LimitReached
from strait_server.base.http.exchange import Exchange
from strait_server.base.http.limits import AddressLimits, Limiter, Rate

THREE = Rate(requests=3, seconds=60.0)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limiter(clock):
    return Limiter(clock=clock)


def an_exchange(address="192.0.2.1"):
    return Exchange(request_id="req-1", address=address, secure=False, headers={})


def test_a_window_takes_so_many_and_no_more(limiter):
    exchange = an_exchange()
    for _ in range(3):
        limiter.admit(exchange, "key", THREE)

    with pytest.raises(LimitReached, match="rate limit exceeded"):
        limiter.admit(exchange, "key", THREE)


def test_who_is_refused_learns_when_the_window_ends(limiter, clock):
    for _ in range(3):
        limiter.admit(an_exchange(), "key", THREE)
    clock.now += 45

    with pytest.raises(LimitReached) as caught:
        limiter.admit(an_exchange(), "key", THREE)

    assert caught.value.retry_after == pytest.approx(15)


def test_a_window_always_ends(limiter, clock):
    """T112."""
    for _ in range(10):
        limiter.count("key", THREE)
    clock.now += 60

    limiter.admit(an_exchange(), "key", THREE)


def test_keys_do_not_count_for_each_other(limiter):
    for _ in range(3):
        limiter.admit(an_exchange(), "one", THREE)

    limiter.admit(an_exchange(), "other", THREE)


def test_no_limit_is_no_limit(limiter):
    for _ in range(1000):
        limiter.admit(an_exchange(), "key", Rate())

    assert len(limiter) == 0


def test_the_answer_tells_of_the_limit_that_is_nearest(limiter):
    exchange = an_exchange()
    limiter.admit(exchange, "key", THREE)
    limiter.admit(exchange, "address", Rate(requests=100, seconds=60.0))

    assert exchange.standing == (3, 2, 60.0)


def test_the_windows_remembered_are_bounded(clock):
    """T112."""
    limiter = Limiter(remembered=100, clock=clock)

    for number in range(1000):
        limiter.count(f"key {number}", THREE)

    assert len(limiter) == 100


def test_windows_that_ended_are_forgotten(limiter, clock):
    for number in range(100):
        limiter.count(f"key {number}", THREE)
    clock.now += 61

    limiter.count("another", THREE)

    assert len(limiter) == 1


def test_looking_does_not_count(limiter):
    for _ in range(10):
        assert limiter.look("key", THREE).remaining == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff"),
        ("not an address:", "not an address:"),
    ],
)
def test_one_customer_is_counted_as_one(limiter, one, other):
    limits = AddressLimits(limiter, everything=Rate(1), triggers=Rate())
    limits.admit(an_exchange(one))

    with pytest.raises(LimitReached):
        limits.admit(an_exchange(other))


def test_limits_of_single_routes_are_off_with_the_two_others(limiter):
    limits = AddressLimits(limiter, everything=Rate(), triggers=Rate())

    for _ in range(100):
        limits.admit_to(an_exchange(), "createSecret", 1)


def test_a_route_has_a_limit_of_its_own(limiter):
    limits = AddressLimits(limiter, everything=Rate(100), triggers=Rate())
    for _ in range(2):
        limits.admit_to(an_exchange(), "createSecret", 2)

    limits.admit_to(an_exchange(), "createApiKey", 2)
    with pytest.raises(LimitReached):
        limits.admit_to(an_exchange(), "createSecret", 2)


def test_triggers_have_the_limit_of_the_settings(limiter):
    limits = AddressLimits(limiter, everything=Rate(), triggers=Rate(1, 10.0))
    limits.admit_to(an_exchange(), "triggerJob", "trigger")

    with pytest.raises(LimitReached) as caught:
        limits.admit_to(an_exchange(), "triggerJob", "trigger")

    assert caught.value.retry_after == pytest.approx(10)
