"""A developer's first project and key (design 3)."""

import asyncio

import pytest
from msgspec.structs import replace

from strait_server.app import starter
from strait_server.base.errors import Unavailable


async def test_every_start_prints_a_new_key_to_the_same_project(database, settings, door, capsys):
    here = replace(settings, database_url=database.dsn)

    keys = []
    for _ in range(2):
        await asyncio.to_thread(starter.greet, here)
        keys.append(capsys.readouterr().out.split()[-1])

    clients = [await door(key) for key in keys]
    answers = [await client.get("/v1/jobs") for client in clients]
    assert len(set(keys)) == 2
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_database_that_is_away_is_an_outage(settings):
    nowhere = replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing")

    with pytest.raises(Unavailable):
        await asyncio.to_thread(starter.greet, nowhere)
