"""What a feature in the hot path costs, in CPU per run."""

from collections.abc import Mapping
from statistics import median
from typing import Final

from msgspec import Struct

from bench.drive import Drive, drive
from bench.processes import ProgramFailed
from bench.report import Figure, Section, progress, split
from bench.stage import Stage

_TRACED: Final = {"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


class Variant(Struct, frozen=True):
    """The same load with something switched on."""

    name: str
    job: Mapping[str, object] = {}
    headers: Mapping[str, str] = {}
    traced: bool = False


VARIANTS: Final = (
    Variant("nothing on"),
    Variant("a concurrency limit (1,000 at once)", job={"max_concurrency": 1000}),
    Variant(
        "a rate limit (10 million a minute)",
        job={"rate_limit_max": 10_000_000, "rate_limit_window_secs": 60},
    ),
    Variant("tracing (each trigger in a trace, spans exported)", headers=_TRACED, traced=True),
)


async def measure(stage: Stage) -> Section:
    turns: dict[str, list[Drive]] = {variant.name: [] for variant in VARIANTS}
    for turn in range(stage.scale.rounds):
        for variant in VARIANTS:
            progress(f"features: {variant.name}, turn {turn + 1}")
            turns[variant.name].append(await _one(stage, variant))
    plain = median(done.micros for done in turns[VARIANTS[0].name])
    return Section(
        "what features cost, end to end",
        [_figure(name, seen, plain) for name, seen in turns.items()],
        {name: [done.told() for done in seen] for name, seen in turns.items()},
    )


async def _one(stage: Stage, variant: Variant) -> Drive:
    """Drive a variant. The endpoint also takes the spans, so it must hear of more than runs."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": stage.endpoint.url} if variant.traced else {}
    before = await stage.endpoint.count()
    async with stage.strait(settings=settings) as strait:
        job = await strait.job(stage.endpoint.url, variant.job)
        requests = job.triggers(variant.headers)
        done = await drive(stage, strait, requests, seconds=stage.scale.seconds)
        runs = (await strait.counts())["completed"]
    heard = await stage.endpoint.count() - before
    if (heard > runs) is not variant.traced:
        raise ProgramFailed(f"{variant.name}: the endpoint heard {heard} requests for {runs} runs")
    return done


def _figure(name: str, seen: list[Drive], plain: float) -> Figure:
    micros = median(done.micros for done in seen)
    typical = min(seen, key=lambda done: abs(done.micros - micros))
    rate = median(done.rate for done in seen)
    return Figure(
        what=name,
        value=micros,
        unit="µs",
        note=(
            f"{micros - plain:+.0f} µs, {rate:,.0f} runs/s:"
            f" {split(typical.spent.micros_per(typical.runs))}"
        ),
    )
