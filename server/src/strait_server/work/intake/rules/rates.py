"""Which rate limits a run counts against (behaviour 2.10)."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from strait_server.work.intake.model import RateScope
from strait_server.work.jobs.model import Job, RateLimitKey

_LONGEST: Final = 256


def scopes(job: Job, payload: bytes, tags: Mapping[str, str]) -> tuple[RateScope, ...]:
    """Return the job's own limit, and one for each limited field that the run has a value of.

    A field is looked up in the payload first, then among the tags. A run
    without it is not limited by it.
    """
    found: list[RateScope] = []
    if job.rate_limit_max and job.rate_limit_window_secs:
        found.append(
            RateScope(
                f"job:{job.id}",
                job.rate_limit_max,
                job.rate_limit_window_secs,
                "job rate limit exceeded",
            )
        )
    if job.rate_limit_keys:
        found.extend(_by_value(job, job.rate_limit_keys, payload, tags))
    return tuple(found)


def _by_value(
    job: Job, keys: Sequence[RateLimitKey], payload: bytes, tags: Mapping[str, str]
) -> list[RateScope]:
    fields: Any = _decoder.decode(payload)
    values: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
    return [
        RateScope(
            f"job:{job.id}:{key.window_secs}:{_spelled(key.name, value)}",
            key.max,
            key.window_secs,
            f"rate limit exceeded for {key.name}",
        )
        for key in keys
        if (value := values.get(key.name, tags.get(key.name))) is not None
    ]


def _number(text: str) -> float | str:
    """Read a number. One that is too large for a float stays as it was written."""
    number = float(text)
    return number if math.isfinite(number) else text


_decoder: Final = msgspec.json.Decoder(float_hook=_number)


def _spelled(name: str, value: object) -> str:
    """Give each name and value a text of their own, of bounded length."""
    if not isinstance(value, str):
        value = msgspec.json.encode(value, order="sorted").decode()
    text = msgspec.json.encode([name, value])
    return text.decode() if len(text) <= _LONGEST else hashlib.sha256(text).hexdigest()
