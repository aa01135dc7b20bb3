"""Why a run stands where it stands (design 1, "always say why").

A run that waits passes gates, in the order of `_GATES`. Each answers for itself:
it does not apply, it lets the run through, or it holds it, and then it says who
or what is in the way, until when, and what can be done.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from strait_server.work.queue.model import Status, key_gate
from strait_server.work.runs.model import (
    Explanation,
    Facts,
    Gate,
    GateReport,
    Places,
    Surroundings,
)

_MANY: Final = 1000
_PATIENCE: Final = "nothing needs to be done"

_ENDS: Final[Mapping[Status, str]] = MappingProxyType(
    {
        Status.COMPLETED: "it is done",
        Status.FAILED: "its code reported a failure; replay it to try again as a new run",
        Status.TIMED_OUT: "its last attempt ran out of time; raise the job's timeout, or replay it",
        Status.CRASHED: "its worker was lost in its last attempt; replay it to try again",
        Status.SYSTEM_FAILED: "it could not be sent at all; mend what the error says, then replay",
        Status.CANCELED: "it was canceled; replay it to run it after all",
        Status.EXPIRED: "it waited longer than it may; replay it, and raise its time to live",
        Status.DEAD_LETTER: (
            "all its attempts failed; mend the cause, then replay the dead letter in place"
        ),
    }
)


def explain(facts: Facts, around: Surroundings) -> Explanation:
    """Say in a sentence and gate by gate why the run does or does not move."""
    match facts.status:
        case Status.DELAYED | Status.QUEUED:
            gates = [report for gate in _GATES if (report := gate(facts, around))]
            summary = _waiting(gates)
        case Status.DEQUEUED | Status.EXECUTING:
            gates = [_execution(facts)]
            summary = gates[0].detail
        case Status.WAITING | Status.PAUSED | Status.REPLAY_STAGED:
            gates = [_wait(facts)]
            summary = gates[0].detail
        case (
            Status.COMPLETED
            | Status.FAILED
            | Status.TIMED_OUT
            | Status.CRASHED
            | Status.SYSTEM_FAILED
            | Status.CANCELED
            | Status.EXPIRED
            | Status.DEAD_LETTER
        ):
            gates = []
            summary = _ended(facts)
    return Explanation(run_id=facts.id, status=facts.status, summary=summary, gates=gates)


def gates_of(facts: Facts) -> list[str]:
    """List the gates with places that a run has to pass, as the queue calls them."""
    gates: list[str] = []
    if facts.concurrency_key and facts.max_concurrency_per_key:
        gates.append(key_gate(facts.project_id, facts.concurrency_key))
    if facts.max_concurrency:
        gates.append(f"job:{facts.job_id}")
    return gates


def _job(facts: Facts, _: Surroundings) -> GateReport | None:
    if facts.enabled:
        return None
    detail = "its job is disabled" if facts.job_slug else "its job does not exist any more"
    action = "enable the job" if facts.job_slug else "cancel the run"
    return GateReport(gate=Gate.JOB, blocking=True, detail=detail, action=action)


def _pause(facts: Facts, _: Surroundings) -> GateReport | None:
    if not facts.paused:
        return None
    reason = f": {facts.pause_reason}" if facts.pause_reason else ""
    return GateReport(
        gate=Gate.PAUSE,
        blocking=True,
        detail=f"its job is paused{reason}",
        action="resume the job",
        since=facts.paused_at,
    )


def _schedule(facts: Facts, _: Surroundings) -> GateReport | None:
    if facts.due_at is None or facts.wait_reason not in {"delay", "window"}:
        return None
    return GateReport(
        gate=Gate.SCHEDULE,
        blocking=facts.due_at > facts.now,
        detail=f"it is scheduled for {_at(facts.due_at)}",
        action="reschedule it to let it start earlier",
        until=facts.due_at,
    )


def _window(facts: Facts, around: Surroundings) -> GateReport | None:
    if around.opens_at is None:
        return None
    return GateReport(
        gate=Gate.WINDOW,
        blocking=facts.status is Status.DELAYED,
        detail=f"its job's execution window is closed until {_at(around.opens_at)}",
        action="widen the job's execution window",
        until=around.opens_at,
    )


def _retry(facts: Facts, _: Surroundings) -> GateReport | None:
    if facts.due_at is None or facts.wait_reason != "retry":
        return None
    return GateReport(
        gate=Gate.RETRY,
        blocking=facts.due_at > facts.now,
        detail=(
            f"attempt {facts.attempt - 1} failed{_because(facts)}; attempt {facts.attempt}"
            f" of {facts.max_attempts} begins at {_at(facts.due_at)}"
        ),
        action="reschedule it to let it start earlier",
        since=facts.queued_at,
        until=facts.due_at,
    )


def _circuit(facts: Facts, _: Surroundings) -> GateReport | None:
    if facts.due_at is None or facts.wait_reason != "snooze":
        return None
    return GateReport(
        gate=Gate.CIRCUIT,
        blocking=facts.due_at > facts.now,
        detail=f"it was put off until {_at(facts.due_at)}{_because(facts)}",
        action="look after the job's endpoint; no attempt is used up",
        since=facts.queued_at,
        until=facts.due_at,
    )


def _concurrency_key(facts: Facts, around: Surroundings) -> GateReport | None:
    return _places(
        facts,
        around,
        gate=Gate.CONCURRENCY_KEY,
        prefix="key:",
        limit=facts.max_concurrency_per_key,
        what=f'concurrency key "{facts.concurrency_key}"',
        action="wait for these runs or cancel them, or raise max_concurrency_per_key",
    )


def _job_concurrency(facts: Facts, around: Surroundings) -> GateReport | None:
    return _places(
        facts,
        around,
        gate=Gate.JOB_CONCURRENCY,
        prefix="job:",
        limit=facts.max_concurrency,
        what="its job",
        action="wait for these runs or cancel them, or raise max_concurrency",
    )


def _places(
    facts: Facts,
    around: Surroundings,
    *,
    gate: Gate,
    prefix: str,
    limit: int,
    what: str,
    action: str,
) -> GateReport | None:
    places: Places | None = next(
        (places for places in around.places if places.gate.startswith(prefix)), None
    )
    if places is None:
        return None
    stands_here = facts.gate is not None and facts.gate.startswith(prefix)
    detail = f"{places.held} of {limit} places of {what} are taken"
    if stands_here and around.ahead is not None:
        detail += f", and {_count(around.ahead)} waiting before it"
    return GateReport(
        gate=gate,
        blocking=stands_here,
        detail=detail,
        action=action if stands_here else _PATIENCE,
        held_by=[str(run_id) for run_id in places.run_ids or ()],
        since=facts.blocked_since if stands_here else places.since,
    )


def _queue(facts: Facts, around: Surroundings) -> GateReport | None:
    if facts.status is not Status.QUEUED or facts.gate or facts.wait_reason:
        return None
    if around.ahead is None:
        return GateReport(
            gate=Gate.QUEUE, blocking=False, detail="it is being claimed", action=_PATIENCE
        )
    return GateReport(
        gate=Gate.QUEUE,
        blocking=around.ahead > 0,
        detail=f"it is in the queue, and {_count(around.ahead)} before it",
        action="raise its priority, or run more workers" if around.ahead else _PATIENCE,
        since=facts.queued_at,
        until=facts.expires_at,
    )


def _workers(facts: Facts, around: Surroundings) -> GateReport | None:
    if facts.status is not Status.QUEUED or around.live_workers:
        return None
    return GateReport(
        gate=Gate.WORKERS, blocking=True, detail="no worker is alive", action="start a worker"
    )


_GATES: Final[Sequence[Callable[[Facts, Surroundings], GateReport | None]]] = (
    _job,
    _pause,
    _schedule,
    _window,
    _retry,
    _circuit,
    _concurrency_key,
    _job_concurrency,
    _workers,
    _queue,
)


def _execution(facts: Facts) -> GateReport:
    verb = "being executed" if facts.status is Status.EXECUTING else "about to be sent"
    if facts.worker_id is None or not facts.worker_lives:
        return GateReport(
            gate=Gate.EXECUTION,
            blocking=True,
            detail=f"it was {verb}, but its worker is gone; it is taken back within seconds",
            action=_PATIENCE,
            since=facts.started_at,
        )
    return GateReport(
        gate=Gate.EXECUTION,
        blocking=False,
        detail=(
            f"attempt {facts.attempt} of {facts.max_attempts} is {verb} by worker"
            f" {facts.worker_id} on {facts.worker_host} (process {facts.worker_pid})"
        ),
        action="wait for it, or cancel the run",
        held_by=[str(facts.worker_id)],
        since=facts.started_at,
    )


def _wait(facts: Facts) -> GateReport:
    if facts.status is Status.WAITING:
        detail = "it waits for something that its code asked for: an event, or its children"
        action = "send the event, or cancel the run"
    else:
        detail, action = f"it is {facts.status}", "cancel the run"
    return GateReport(
        gate=Gate.WAIT, blocking=True, detail=detail, action=action, since=facts.started_at
    )


def _waiting(gates: Sequence[GateReport]) -> str:
    blocking = [gate.detail for gate in gates if gate.blocking]
    return "; ".join(blocking) if blocking else "nothing holds it: it starts any moment"


def _ended(facts: Facts) -> str:
    error = f" ({facts.error})" if facts.error else ""
    return f"{facts.status}{error}: {_ENDS[facts.status]}"


def _count(ahead: int) -> str:
    if ahead == 1:
        return "1 run is"
    return f"{ahead} runs are" if ahead < _MANY else f"{_MANY} runs or more are"


def _because(facts: Facts) -> str:
    return f": {facts.error}" if facts.error else ""


def _at(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
