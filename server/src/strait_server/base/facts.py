"""What happened, told in the past tense.

A room records a fact in the transaction of the change; `app/reactions.py` says
who reacts. The room that records it does not know.
"""

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True):
    """Something that has happened and that somebody may react to."""
