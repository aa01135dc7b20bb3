"""The metrics of this process, as text for Prometheus or as JSON (api 9.1)."""

from typing import Final

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import SkipValidation
from litestar.response.base import ASGIResponse
from msgspec import Struct

from strait_server.base.http.exchange import Answer, Exchange, exchange_of
from strait_server.base.http.faces import json_answer
from strait_server.base.http.framework import JSONRequest, Ready
from strait_server.base.http.guards import OPEN_TO_ALL, check_scope
from strait_server.base.settings import Settings
from strait_server.base.telemetry.metrics import CONTENT_TYPE, MetricFamily, Metrics

_TEXTS: Final = (b"text/plain", b"*/*", b"openmetrics")


class MetricsSnapshot(Struct, frozen=True):
    """All metrics of this process."""

    metrics: list[MetricFamily]


@get(
    "/",
    operation_id="listMetrics",
    opt={**OPEN_TO_ALL, "also_as": ["text/plain"]},
    responses={
        200: ResponseSpec(MetricsSnapshot, description="As JSON or text", generate_examples=False)
    },
)
async def list_metrics(
    request: JSONRequest,
    metrics: NamedDependency[SkipValidation[Metrics]],
    settings: NamedDependency[SkipValidation[Settings]],
) -> ASGIResponse:
    """List the metrics: JSON for who accepts nothing but JSON, else Prometheus text.

    Asks for the internal secret or a key with `stats:read`, unless METRICS_PUBLIC is set.
    """
    exchange = exchange_of(request.scope)
    if not settings.metrics_public:
        _check(exchange)
    accept = exchange.headers.get(b"accept", b"")
    if b"application/json" in accept and not any(text in accept for text in _TEXTS):
        return Ready(json_answer(200, MetricsSnapshot(metrics.render_json())))
    return Ready(Answer(200, [(b"content-type", CONTENT_TYPE.encode())], metrics.render_text()))


def _check(exchange: Exchange) -> None:
    if exchange.refusal is not None:
        raise exchange.refusal
    check_scope(exchange.actor, "stats:read")


router = Router("/metrics", route_handlers=[list_metrics], tags=["health"])
