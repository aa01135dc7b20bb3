"""A full queue, a real POST per run: how fast it is empty, and how fast the others are."""

import math
from statistics import median

from bench.peers import install, race
from bench.peers.contenders import CONTENDERS, Contender
from bench.peers.install import NotInstalled
from bench.peers.race import Drained
from bench.processes import ProgramFailed
from bench.report import Figure, Section, at_least, progress, split
from bench.stage import Stage


async def measure(stage: Stage) -> Section:
    """Contenders take turns; who cannot run is out, and the reason is reported."""
    ours: list[Drained] = []
    theirs: dict[str, list[Drained]] = {contender.name: [] for contender in CONTENDERS}
    out: dict[str, str] = {}
    for turn in range(stage.scale.rounds):
        progress(f"drain: strait, turn {turn + 1}")
        ours.append(await race.strait(stage))
        for contender in CONTENDERS:
            if contender.name in out:
                continue
            progress(f"drain: {contender.name}, turn {turn + 1}")
            try:
                theirs[contender.name].append(await race.peer(stage, contender))
            except (NotInstalled, ProgramFailed) as reason:
                out[contender.name] = str(reason)
    return Section(
        "drain with a real HTTP POST per run",
        [
            _own(ours),
            *(_against(ours, theirs[contender.name], contender, out) for contender in CONTENDERS),
        ],
        {
            name: [turn.told() for turn in turns]
            for name, turns in {"strait": ours, **theirs}.items()
        }
        | {"versions": install.versions()},
    )


def _own(ours: list[Drained]) -> Figure:
    return Figure(
        what="strait",
        value=median(turn.rate for turn in ours),
        unit="runs/s",
        note=_told(ours),
    )


def _against(
    ours: list[Drained], theirs: list[Drained], contender: Contender, out: dict[str, str]
) -> Figure:
    what = f"strait ÷ {contender.name} {install.versions().get(contender.name, '')}".rstrip()
    bound = at_least(contender.at_least) if contender.at_least is not None else None
    if not theirs:
        return Figure(what=what, value=math.nan, bound=bound, note=out[contender.name])
    cpu = median(turn.micros for turn in theirs) / median(turn.micros for turn in ours)
    return Figure(
        what=what,
        value=median(turn.rate for turn in ours) / median(turn.rate for turn in theirs),
        bound=bound,
        neighbours=max(turn.spent.neighbours for turn in (*ours, *theirs)),
        by_cpu=cpu,
        note="; ".join(
            part
            for part in (
                _told(theirs),
                contender.note,
                out.get(contender.name, ""),
            )
            if part
        ),
    )


def _told(turns: list[Drained]) -> str:
    micros = median(turn.micros for turn in turns)
    typical = min(turns, key=lambda turn: abs(turn.micros - micros))
    rates = ", ".join(f"{turn.rate:,.0f}" for turn in turns)
    by_process = split(typical.spent.micros_per(typical.runs))
    return f"{rates} runs/s; {micros:,.0f} µs per run without the endpoint: {by_process}"
