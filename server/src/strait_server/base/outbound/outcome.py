"""What can come of a request: a response, or an error of one kind."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """Why there is no response. The caller decides what to do about it."""

    TIMEOUT = "timeout"
    """The total time was used up."""
    CONNECTION = "connection"
    """Not found, not reachable, not who it claims to be, or gone before the end."""
    REFUSED = "refused_by_policy"
    """We did not send it: the address or a header is not allowed."""
    TOO_LARGE = "too_large"
    """More bytes than the caller or HTTP's head limits allow."""
    PROTOCOL = "protocol"
    """What came back is not HTTP."""


class Timing(Struct, frozen=True, kw_only=True):
    """How long the phases took, in whole milliseconds (behaviour 3.9, T41d).

    A phase that happened took at least 1, one that did not took 0.
    """

    connect_ms: int = 0
    """TCP and TLS; 0 on a reused connection."""
    ttfb_ms: int = 0
    """From the request leaving to the first byte of the answer."""
    transfer_ms: int = 0
    """From the first byte to the last; 0 when they came together."""

    @property
    def dispatch_ms(self) -> int:
        return self.connect_ms + self.ttfb_ms + self.transfer_ms


class Response(Struct, frozen=True, kw_only=True):
    """An answer of an endpoint, whatever its status. Redirects are answers too."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    timing: Timing

    def header(self, name: str) -> str | None:
        """Find the first header of that name, in any case."""
        wanted = name.lower().encode("latin-1")
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None


class OutboundError(Exception):
    """A request that got no response we can use.

    The message is one line for the owner of the endpoint: host and port, no
    path, no query, no header value. `response` is what had arrived of an
    answer that is too large: its true status and a cut body.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        timing: Timing | None = None,
        response: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.timing = timing or Timing()
        self.response = response


def milliseconds(seconds: float) -> int:
    """Round a duration for a `Timing`: positive is at least 1, never negative."""
    return max(1, round(seconds * 1000)) if seconds > 0 else 0
