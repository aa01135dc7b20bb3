"""Where the command line rolls dice."""

import random
import uuid


def idempotency_key() -> str:
    """Return a key for one invocation, the same for all its tries (cli 5)."""
    return f"cli-{uuid.uuid4()}"


def jitter(most: float) -> float:
    return random.uniform(0, most)  # noqa: S311  a delay need not be secure
