"""Signatures of what we send, so that the receiver knows it came from us (behaviour 3.2)."""

import hmac


def sign_v1(secret: str, timestamp: int, body: bytes) -> str:
    """Sign `timestamp.body`, in Unix seconds; the value of `X-Strait-Signature`."""
    message = b"%d.%b" % (timestamp, body)
    return "v1=" + hmac.digest(secret.encode(), message, "sha256").hex()
