"""Runs as callers name them."""

from collections.abc import Sequence
from uuid import UUID

from strait_server.base.errors import Invalid, NotFound
from strait_server.base.ids import as_id


def read_id(named: str) -> UUID:
    """Read the id in a path. What is no id is the id of no run."""
    run_id = as_id(named)
    if run_id is None:
        raise NotFound("run not found")
    return run_id


def read_ids(named: Sequence[str]) -> dict[str, UUID]:
    """Read the ids in a body, by name; what is no id is left out."""
    return {name: run_id for name in named if (run_id := as_id(name)) is not None}


def check_count(named: Sequence[str], *, most: int, refusal: str, field: str = "run_ids") -> None:
    """Raise `Invalid` unless there are some, and not too many."""
    if not named:
        raise Invalid("validation failed", problems=[f"{field}: failed on 'required'"])
    if len(named) > most:
        raise Invalid(refusal, problems=[f"{field}: must have at most {most} entries"])
