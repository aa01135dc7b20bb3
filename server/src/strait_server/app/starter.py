"""A developer's first project and key, so that `strait dev` can be used at once."""

import sys

import uvloop

from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.base.settings import Settings
from strait_server.tenancy.access.model import EVERYTHING, Actor, ActorType, NewKey
from strait_server.tenancy.access.service import keys
from strait_server.tenancy.projects import service as projects

PROJECT = "dev"


def greet(settings: Settings) -> None:
    """Make the project `dev` if it is not there, and print a new key for it: once, here only."""
    key = uvloop.run(_first_key(settings))
    sys.stdout.write(
        f"\n  Strait for development: http://{settings.host}:{settings.port}\n"
        f"  project {PROJECT}, API key (shown once):\n\n  {key}\n\n"
    )
    sys.stdout.flush()


async def _first_key(settings: Settings) -> str:
    database = Database(settings.database_url, max_connections=1)
    try:
        async with database.connection() as db:
            return await _make(db)
    finally:
        await database.close()


async def _make(db: Connection) -> str:
    actor = Actor(
        id="internal",
        type=ActorType.INTERNAL,
        project_id=PROJECT,
        scopes=frozenset({EVERYTHING}),
    )
    await projects.save(db, actor, PROJECT, org_id=PROJECT, name="Development")
    made = await keys.create(
        db, actor, NewKey(project_id=PROJECT, name="development", scopes=(EVERYTHING,))
    )
    return made.key
