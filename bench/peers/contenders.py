"""Who takes part: what each needs, how it is started, and how much faster we mean to be.

Those that come close run with what emptied the queue fastest: pg-boss among 150
to 1,000 at a time, graphile-worker among 48 to 1,000, arq among 50 to 500.
pgqueuer runs twice: with batches of 500, for which the target was set, and with
the fastest of 50 to 1,000.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bench.peers import install

_PYTHON: Final = "requirements"
_ARQ: Final = "requirements-arq"


class Contender(Struct, frozen=True, kw_only=True):
    """Commands begin with a program of the contender's own environment."""

    name: str
    fill: tuple[str, ...]
    work: tuple[str, ...]
    prepare: tuple[str, ...] | None = None
    requirements: str | None = _PYTHON
    redis: bool = False
    slow: bool = False
    at_least: float | None = None
    note: str = ""

    def bring_in(self) -> Path:
        """Install what it needs and answer where its programs are, or raise `NotInstalled`."""
        return install.node() if self.requirements is None else install.python(self.requirements)


def _python(name: str, *, at_least: float | None, note: str, slow: bool = False) -> Contender:
    script = f"with_{name}.py"
    return Contender(
        name=name,
        prepare=("python", script, "prepare"),
        fill=("python", script, "fill"),
        work=("python", script, "work"),
        at_least=at_least,
        slow=slow,
        note=note,
    )


def _pgqueuer(name: str, *, batch: int, at_least: float | None) -> Contender:
    like = _python("pgqueuer", at_least=at_least, note=f"batches of {batch}")
    return replace(like, name=name, work=(*like.work, str(batch)))


def _node(name: str, *, at_least: float, note: str) -> Contender:
    script = f"with_{name.replace('-', '_')}.cjs"
    return Contender(
        name=name,
        prepare=("node", script, "prepare"),
        fill=("node", script, "fill"),
        work=("node", script, "work"),
        requirements=None,
        at_least=at_least,
        note=note,
    )


def _on_redis(
    name: str,
    work: tuple[str, ...],
    *,
    note: str,
    requirements: str = _PYTHON,
    at_least: float | None = 10,
) -> Contender:
    return Contender(
        name=name,
        fill=("python", f"with_{name}.py", "fill"),
        work=work,
        requirements=requirements,
        redis=True,
        slow=True,
        at_least=at_least,
        note=f"{note}, on redis without persistence",
    )


CONTENDERS: Final = (
    _node("pg-boss", at_least=1.5, note="two loops of 500 at a time"),
    _node("graphile-worker", at_least=1.5, note="384 at a time, keeps no record of a finished job"),
    _pgqueuer("pgqueuer", batch=500, at_least=4),
    _pgqueuer("pgqueuer at its fastest", batch=200, at_least=None),
    _python(
        "procrastinate",
        at_least=10,
        slow=True,
        note="32 at a time, keeps no record of a finished job",
    ),
    _python("dbos", at_least=10, slow=True, note="200 at a time"),
    _on_redis(
        "celery",
        (
            *("celery", "-A", "with_celery", "worker", "--pool", "threads", "--concurrency", "16"),
            *("--loglevel", "ERROR", "--without-gossip", "--without-mingle"),
            "--without-heartbeat",
        ),
        note="16 threads",
    ),
    _on_redis("arq", ("arq", "with_arq.Worker"), requirements=_ARQ, note="200 at a time"),
    _on_redis(
        "rq",
        ("rq", "worker", "--quiet", "--worker-class", "rq.worker.SimpleWorker"),
        note="one at a time",
    ),
    _on_redis(
        "dramatiq",
        ("dramatiq", "with_dramatiq", "--processes", "1", "--threads", "16"),
        note="16 threads",
        at_least=None,
    ),
)
FOLDER: Final = Path(__file__).parent
