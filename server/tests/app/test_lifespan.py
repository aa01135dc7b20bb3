"""What lives as long as a process (behaviour 13.10; T122)."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from strait_server.app import everything, lifespan

DEADLINE = 30.0


async def test_a_statement_is_cut_at_the_limit(postgres, settings):
    """T122: the limit is the session's, so it holds outside of transactions too."""
    hasty = replace(
        settings, database_url=postgres.dsn, db_statement_timeout=timedelta(milliseconds=50)
    )

    async with lifespan.living(hasty) as services, services.database.connection() as db:
        with pytest.raises(asyncpg.QueryCanceledError):
            await db.raw.execute("select pg_sleep(60)")


async def test_a_process_that_cannot_hear_the_others_any_more_ends(database, settings):
    def fail():
        raise LookupError

    async with lifespan.living(settings, database) as services:
        services.listener.subscribe("strait_tests", print, after_gap=fail)

        async with everything.hearing(services):
            await asyncio.wait_for(services.broken.wait(), DEADLINE)
