"""How often somebody may ask: fixed windows, counted in this process (behaviour 13.6).

No shared store that could fail, so no failing open (T112): with several
processes each counts for itself. A window ends by the clock, whatever happens,
and the number of windows remembered has a bound.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.errors import LimitReached
from strait_server.base.http.clients import counted_as
from strait_server.base.http.exchange import Exchange, Standing

RouteLimit = int | Literal["trigger"]


class Rate(Struct, frozen=True):
    """At most `requests` in `seconds`. Zero requests: no limit."""

    requests: int = 0
    seconds: float = 60.0

    def __bool__(self) -> bool:
        return self.requests > 0


class _Window(Struct):
    ends_at: float
    count: int = 0


class Limiter:
    """Counts requests by key. When it knows too many keys, it forgets the oldest window."""

    def __init__(self, *, remembered: int = 50_000, clock: Callable[[], float] = monotonic) -> None:
        self._remembered = remembered
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def count(self, key: str, rate: Rate) -> Standing:
        """Count one request. A negative remainder: it is one too many."""
        now = self._clock()
        window = self._windows.get(key)
        if window is None or window.ends_at <= now:
            window = self._open(key, now, rate)
        window.count += 1
        return Standing(rate.requests, rate.requests - window.count, window.ends_at - now)

    def look(self, key: str, rate: Rate) -> Standing:
        """Tell where the key stands without counting."""
        window = self._windows.get(key)
        now = self._clock()
        if window is None or window.ends_at <= now:
            return Standing(rate.requests, rate.requests, rate.seconds)
        return Standing(rate.requests, rate.requests - window.count, window.ends_at - now)

    def admit(self, exchange: Exchange, key: str, rate: Rate) -> None:
        """Count the request, tell the caller where he stands, or raise `LimitReached`."""
        if not rate:
            return
        standing = self.count(key, rate)
        nearest = exchange.standing
        if nearest is None or standing.remaining < nearest.remaining:
            exchange.standing = standing
        if standing.remaining < 0:
            raise too_many(standing)

    def _open(self, key: str, now: float, rate: Rate) -> _Window:
        self._windows.pop(key, None)
        window = self._windows[key] = _Window(now + rate.seconds)
        while len(self._windows) > self._remembered or self._oldest.ends_at <= now:
            self._windows.popitem(last=False)
        return window

    @property
    def _oldest(self) -> _Window:
        return next(iter(self._windows.values()))


class AddressLimits:
    """Limits per client address: for everything, for triggers, and for single routes.

    The limits of single routes hold when one of the other two is on.
    """

    def __init__(self, limiter: Limiter, *, everything: Rate, triggers: Rate) -> None:
        self._limiter = limiter
        self._everything = everything
        self._triggers = triggers

    def admit(self, exchange: Exchange) -> None:
        """Count a request of any kind."""
        if self._everything:
            self._limiter.admit(exchange, f"all {counted_as(exchange.address)}", self._everything)

    def admit_to(self, exchange: Exchange, route: str, most: RouteLimit) -> None:
        """Count a request to a route that takes `most` per minute, or as many as triggers do."""
        if self._everything or self._triggers:
            rate = self._triggers if most == "trigger" else Rate(most)
            self._limiter.admit(exchange, f"{route} {counted_as(exchange.address)}", rate)


def too_many(standing: Standing) -> LimitReached:
    return LimitReached("rate limit exceeded", retry_after=standing.resets_in)
