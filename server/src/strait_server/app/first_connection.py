"""The first connection of a command, before there is anything to serve, and why there is none."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from strait_server.base.db.outage import FAILURES, is_outage
from strait_server.base.errors import Invalid, Unavailable
from strait_server.base.settings.values import hide_password

_CONNECT_SECONDS: Final = 10


@asynccontextmanager
async def first_connection(url: str) -> AsyncGenerator[asyncpg.Connection]:
    """Lend a connection to the schema. No error tells the password.

    Raises `Invalid` for an address that is none, and `Unavailable` when we are
    not let in or PostgreSQL goes away meanwhile.
    """
    raw = await _connect(url)
    try:
        yield raw
    except FAILURES as error:
        if not is_outage(error):
            raise
        raise Unavailable(
            f"the connection to DATABASE_URL {hide_password(url)} was lost: {_words(error)};"
            " start again: what was applied stays"
        ) from error
    finally:
        await raw.close()


async def _connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except asyncpg.ClientConfigurationError as error:
        raise Invalid(f"DATABASE_URL will not do: {_words(error)}") from error
    except ValueError as error:  # its text may be a piece of the password
        raise Invalid(
            "DATABASE_URL will not do; write an address such as"
            " postgres://user:password@host:5432/database, with %40 for an @ in the password"
        ) from error
    except FAILURES as error:
        raise Unavailable(
            f"cannot connect to DATABASE_URL {hide_password(url)}: {_reason(error)},"
            " or set another DATABASE_URL"
        ) from error


def _reason(error: Exception) -> str:
    """Say why we are not let in, and what to do."""
    match error:
        case TimeoutError():
            return f"no answer within {_CONNECT_SECONDS} seconds; see whether PostgreSQL runs there"
        case socket.gaierror():
            return f"{_words(error)}; correct the host, write %40 for an @ in the password"
        case OSError():
            return f"{_words(error)}; see whether PostgreSQL runs there"
        case asyncpg.InvalidCatalogNameError():
            return f"{_words(error)}; create it"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{_words(error)}; let this user in"
        case _:
            return f"{_words(error)}; try again later"


def _words(error: Exception) -> str:
    """Tell the first of what an error says."""
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(next(iter(error.args), type(error).__name__))
