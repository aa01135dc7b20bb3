"""Telling a database that is away from a statement that is wrong."""

from typing import Final

import asyncpg

FAILURES: Final = (
    TimeoutError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""All that asking the database can raise: to `is_outage`, or to one's own judgment."""

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # the goodbye of a dying server between two statements
    ConnectionError,
    OSError,
    TimeoutError,
)


def is_outage(error: BaseException) -> bool:
    """Whether trying the same again later can help, because nothing was wrong with it."""
    if isinstance(error, _AWAY):
        return True
    # asyncpg reports the use of a connection that was lost as an InterfaceError; one
    # that is a ValueError as well says that an argument could not be encoded.
    return isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
