"""Trigger over HTTP → claim → POST to the endpoint → completion committed, for a minute."""

from bench.drive import drive
from bench.report import Figure, Section, at_least, at_most, split
from bench.stage import Stage


async def measure(stage: Stage) -> Section:
    async with stage.strait() as strait:
        job = await strait.job(stage.endpoint.url)
        done = await drive(stage, strait, job.triggers(), seconds=stage.scale.sustained_seconds)
    windows = done.watch.windows(stage.scale.window_seconds)
    return Section(
        "end to end",
        [
            Figure(
                what="CPU per run, trigger over HTTP → completion committed",
                value=done.micros,
                unit="µs",
                bound=at_most(330),
                neighbours=done.spent.neighbours,
                note=split(done.spent.micros_per(done.runs)),
            ),
            Figure(
                what=f"sustained for {done.load.seconds:.0f} s, everything on this machine",
                value=done.rate,
                unit="runs/s",
                bound=at_least(4000),
                neighbours=done.spent.neighbours,
                by_cpu=done.affordable,
                note=(
                    f"in windows of {stage.scale.window_seconds} s: "
                    + ", ".join(f"{rate:,.0f}" for rate in windows)
                    + f"; backlog gone"
                    f" {done.spent.seconds - done.load.seconds:.1f} s after the last trigger"
                ),
            ),
            *(
                Figure(
                    what=f"memory of the {name} under load",
                    value=done.watch.memory[name],
                    unit="MB",
                    bound=at_most(80),
                )
                for name in ("api", "worker")
            ),
        ],
        done.told(),
    )
