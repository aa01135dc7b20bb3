"""When a run that has not started is no longer wanted (behaviour 2.9)."""

from typing import Final

MARGIN_SECONDS: Final = 60


def ttl_seconds(
    *, requested: int | None, job_ttl: int | None, default_ttl: int, timeout: int
) -> int:
    """How long a run may live, in seconds: the first that is set, else its timeout and a minute.

    One rule for every run, whatever triggered it (T7). The clock starts when
    the run is scheduled to start, or now if that is not in the future; it is
    the database's clock, so this answers a duration.
    """
    for ttl in (requested, job_ttl, default_ttl):
        if ttl is not None and ttl > 0:
            return ttl
    return timeout + MARGIN_SECONDS
