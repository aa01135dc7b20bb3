"""Telling a database that is away from a statement that is wrong."""

import asyncpg

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
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
    # asyncpg reports the use of a connection that was lost as an InterfaceError.
    return isinstance(error, asyncpg.InterfaceError) and not isinstance(error, asyncpg.DataError)
