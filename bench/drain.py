"""A full queue, a real POST per run: how fast it is empty, and how fast the others are."""

import math
from statistics import median

from msgspec import Struct

from bench.peers import install, race
from bench.peers.contenders import CONTENDERS, Contender
from bench.peers.install import NotInstalled
from bench.peers.race import Drained
from bench.processes import ProgramFailed
from bench.report import Figure, Section, at_least, progress, split
from bench.stage import Stage
from bench.strait import AT_ONCE_IN_A_DRAIN


class Pair(Struct, frozen=True):
    """A turn of ours, and right after it one of a contender: the host was as fast for both."""

    ours: Drained
    theirs: Drained

    @property
    def by_rate(self) -> float:
        return self.ours.rate / self.theirs.rate

    @property
    def by_cpu(self) -> float:
        return self.theirs.micros / self.ours.micros


async def measure(stage: Stage) -> Section:
    """Contenders take turns; who cannot run is out, and the reason is reported."""
    pairs: dict[str, list[Pair]] = {contender.name: [] for contender in CONTENDERS}
    out: dict[str, str] = {}
    for turn in range(max(stage.scale.rounds, stage.scale.close_rounds)):
        for contender in CONTENDERS:
            turns = stage.scale.rounds if contender.slow else stage.scale.close_rounds
            if turn >= turns or contender.name in out:
                continue
            progress(f"drain: strait and {contender.name}, turn {turn + 1}")
            ours = await race.strait(stage)
            try:
                pairs[contender.name].append(Pair(ours, await race.peer(stage, contender)))
            except (NotInstalled, ProgramFailed) as reason:
                out[contender.name] = str(reason)
    ours_of_all = [pair.ours for beside in pairs.values() for pair in beside]
    return Section(
        "drain with a real HTTP POST per run",
        [
            _own(ours_of_all),
            *(_against(pairs[contender.name], contender, out) for contender in CONTENDERS),
        ],
        {
            name: [{"strait": pair.ours.told(), name: pair.theirs.told()} for pair in beside]
            for name, beside in pairs.items()
        }
        | {"versions": install.versions()},
    )


def _own(turns: list[Drained]) -> Figure:
    return Figure(
        what="strait",
        value=median(turn.rate for turn in turns) if turns else math.nan,
        unit="runs/s",
        note=f"{_told(turns)}; {AT_ONCE_IN_A_DRAIN:,} at a time" if turns else "",
    )


def _against(pairs: list[Pair], contender: Contender, out: dict[str, str]) -> Figure:
    what = f"strait ÷ {contender.name} {install.versions().get(contender.name, '')}".rstrip()
    bound = at_least(contender.at_least) if contender.at_least is not None else None
    if not pairs:
        return Figure(what=what, value=math.nan, bound=bound, note=out[contender.name])
    turns = [turn for pair in pairs for turn in (pair.ours, pair.theirs)]
    told = (
        f"{_rates([pair.ours for pair in pairs])} against {_told([pair.theirs for pair in pairs])}"
    )
    return Figure(
        what=what,
        value=median(pair.by_rate for pair in pairs),
        bound=bound,
        neighbours=max(turn.spent.neighbours for turn in turns),
        by_cpu=median(pair.by_cpu for pair in pairs),
        note="; ".join(filter(None, (told, contender.note, out.get(contender.name)))),
    )


def _told(turns: list[Drained]) -> str:
    micros = median(turn.micros for turn in turns)
    typical = min(turns, key=lambda turn: abs(turn.micros - micros))
    by_process = split(typical.spent.micros_per(typical.runs))
    return f"{_rates(turns)} runs/s; {micros:,.0f} µs per run without the endpoint: {by_process}"


def _rates(turns: list[Drained]) -> str:
    return ", ".join(f"{turn.rate:,.0f}" for turn in turns)
