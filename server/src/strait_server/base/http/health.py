"""Whether we live, and whether we are ready (api 9.1, behaviour 15.4).

Living is a matter of this process alone: the status code of `/health` does not
depend on the database. Ready is who can serve. A busy pool or a long queue is
no reason to be unready: taking a working process away makes it worse (T121).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import SkipValidation
from msgspec import Struct, structs

from strait_server.base.clock import monotonic
from strait_server.base.db.outage import FAILURES
from strait_server.base.errors import StraitError, Unavailable
from strait_server.base.http.exchange import exchange_of
from strait_server.base.http.framework import JSONRequest
from strait_server.base.http.guards import OPEN_TO_ALL

_CHECK_SECONDS: Final = 3.0
_FRESH_SECONDS: Final = 1.0


class ComponentStatus(StrEnum):
    UP = "up"
    DOWN = "down"
    DEGRADED = "degraded"


class Life(StrEnum):
    """The same in the words of `/health`."""

    OK = "ok"
    DOWN = "down"
    DEGRADED = "degraded"


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing we stand on. `error` is told to our own services only."""

    name: str
    status: ComponentStatus
    latency_ms: int
    error: str = ""


class Liveness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That the process answers, and how it is. `subsystems` are told to our own services only."""

    status: Life
    edition: str
    version: str
    uptime_seconds: int
    subsystems: dict[str, ComponentStatus] | None = None


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether requests can be served. The last four are there when they cannot."""

    status: ComponentStatus
    components: Sequence[Component]
    error: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""


class Check(Struct, frozen=True, kw_only=True):
    """Something to look at. The probe raises when it is not well; without it, no readiness."""

    name: str
    probe: Callable[[], Awaitable[None]]
    critical: bool = False


class Health:
    """Looks at everything at once, and at most once a second: anybody may ask."""

    def __init__(self, checks: Sequence[Check], *, edition: str, version: str) -> None:
        self.edition: Final = edition
        self.version: Final = version
        self._checks = tuple(checks)
        self._began = monotonic()
        self._looked_at = float("-inf")
        self._components: Sequence[Component] = ()
        self._looking = asyncio.Lock()

    @property
    def uptime_seconds(self) -> int:
        return int(monotonic() - self._began)

    async def components(self) -> Sequence[Component]:
        """Tell how each component is, within three seconds."""
        async with self._looking:
            if monotonic() - self._looked_at >= _FRESH_SECONDS:
                async with asyncio.TaskGroup() as group:
                    looks = [group.create_task(_look(check)) for check in self._checks]
                self._components = [look.result() for look in looks]
                self._looked_at = monotonic()
        return self._components

    def overall(self, components: Sequence[Component]) -> ComponentStatus:
        """Down with a critical one, degraded with any other."""
        down = {
            component.name for component in components if component.status is ComponentStatus.DOWN
        }
        if any(check.critical and check.name in down for check in self._checks):
            return ComponentStatus.DOWN
        return ComponentStatus.DEGRADED if down else ComponentStatus.UP


async def _look(check: Check) -> Component:
    began, error = monotonic(), ""
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check.probe()
    except (*FAILURES, StraitError) as failure:
        error = str(failure) or type(failure).__name__
    return Component(
        name=check.name,
        status=ComponentStatus.DOWN if error else ComponentStatus.UP,
        latency_ms=round((monotonic() - began) * 1000),
        error=error,
    )


@get("/", operation_id="getHealth", opt=OPEN_TO_ALL)
async def get_health(
    request: JSONRequest, health: NamedDependency[SkipValidation[Health]]
) -> Liveness:
    """Say that the process lives. Always 200; the body says how it is."""
    components = await health.components()
    overall = health.overall(components)
    actor = exchange_of(request.scope).actor
    told = actor is not None and actor.is_internal
    return Liveness(
        status=Life.OK if overall is ComponentStatus.UP else Life(overall),
        edition=health.edition,
        version=health.version,
        uptime_seconds=health.uptime_seconds,
        subsystems={it.name: it.status for it in components} if told else None,
    )


@get(
    "/ready",
    operation_id="getReadiness",
    opt=OPEN_TO_ALL,
    responses={503: ResponseSpec(Readiness, description="Not ready", generate_examples=False)},
)
async def get_readiness(
    request: JSONRequest, health: NamedDependency[SkipValidation[Health]]
) -> Response[Readiness]:
    """Say whether requests can be served. 503 when something we cannot do without is down."""
    components = await health.components()
    overall = health.overall(components)
    exchange = exchange_of(request.scope)
    if exchange.actor is None or not exchange.actor.is_internal:
        components = [structs.replace(component, error="") for component in components]
    if overall is not ComponentStatus.DOWN:
        return Response(Readiness(status=overall, components=components))
    message = "not ready"
    down = Readiness(
        status=overall,
        components=components,
        error=message,
        code=Unavailable.code,
        message=message,
        request_id=exchange.request_id,
    )
    return Response(down, status_code=503, headers={"Retry-After": "1"})


router = Router("/health", route_handlers=[get_health, get_readiness], tags=["health"])
