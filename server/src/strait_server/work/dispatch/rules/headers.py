"""What an endpoint is told beside the payload (behaviour 3.2, api 11.1)."""

from collections.abc import Mapping

from strait_server.work.dispatch.rules.error_text import one_line
from strait_server.work.jobs.model import Job
from strait_server.work.queue.model import ClaimedRun

USER_AGENT = "Strait"


def of_job(job: Job) -> tuple[tuple[str, str], ...]:
    """Return the headers that are the same for every run of a job."""
    return (
        ("Content-Type", "application/json"),
        ("User-Agent", USER_AGENT),
        ("X-Job-ID", str(job.id)),
        ("X-Job-Slug", job.slug),
        ("X-Project-ID", job.project_id),
    )


def of_attempt(run: ClaimedRun, *, token: str) -> bytes:
    """Write the lines that every attempt has: an id, a number and a token, all of our own making.

    The run's id stays the same over attempts, so that an endpoint can tell a
    repetition (behaviour D3).
    """
    return b"X-Run-ID: %b\r\nX-Attempt: %d\r\nX-Run-Token: %b\r\n" % (
        str(run.id).encode(),
        run.attempt,
        token.encode(),
    )


def of_some_attempts(
    run: ClaimedRun,
    *,
    secrets: Mapping[str, str],
    traceparent: str = "",
    tracestate: str = "",
) -> list[tuple[str, str]]:
    """Return the headers that only some attempts have: users write what is in them."""
    headers: list[tuple[str, str]] = []
    if secrets:
        headers += [(f"X-Secret-{key}", value) for key, value in secrets.items()]
    if run.attempt > 1 and run.error:
        headers.append(("X-Previous-Error", one_line(run.error)))
    if traceparent:
        headers.append(("Traceparent", traceparent))
        if tracestate:
            headers.append(("Tracestate", tracestate))
    return headers
