"""Secrets at rest and at dispatch (behaviour 3.7, 13.8; T113, T115, T118e)."""

import pytest
import world

from strait_server.base.crypto.sealing import SealBroken, Sealer
from strait_server.base.errors import NotFound, Unavailable
from strait_server.base.http.pages import PageRequest
from strait_server.tenancy.secrets import service as secrets
from strait_server.tenancy.secrets.model import NewSecret

NEW_KEY = bytes(31) + b"\1"


async def for_job(db, job, *, sealer=world.SEALER, project_id=world.PROJECT, **said):
    return await secrets.for_job(db, sealer, project_id, job.id, **said)


async def sealed(db, secret):
    return await db.raw.fetchval("select sealed from secrets where id = $1", secret.id)


async def test_a_value_never_lies_open_in_the_database(db):
    secret = await world.a_secret(db, "TOKEN", "hunter2")

    assert secret.key_version == 1
    assert "hunter2" not in await sealed(db, secret)


async def test_a_job_sees_its_own_secrets_before_those_of_the_project(db):
    job, other = await world.a_job(db), await world.a_job(db)
    await world.a_secret(db, "TOKEN", "of the job", job=str(job.id))
    await world.a_secret(db, "TOKEN", "of the project")
    await world.a_secret(db, "URL", "for all")

    assert await for_job(db, job) == {"TOKEN": "of the job", "URL": "for all"}
    assert await for_job(db, other) == {"TOKEN": "of the project", "URL": "for all"}


async def test_a_job_sees_the_secrets_of_its_environment_only(db):
    """T115."""
    job = await world.a_job(db)
    await world.a_secret(db, "TOKEN", "production")
    await world.a_secret(db, "TOKEN", "staging", environment="staging")

    assert await for_job(db, job) == {"TOKEN": "production"}
    assert await for_job(db, job, environment="staging") == {"TOKEN": "staging"}


async def test_a_job_sees_no_secrets_of_another_project(db):
    """T73."""
    job = await world.a_job(db)
    await world.a_secret(db, "TOKEN", "theirs", project_id="proj_2")

    assert await for_job(db, job) == {}


async def test_the_same_name_again_replaces_the_value(db):
    job = await world.a_job(db)
    first = await world.a_secret(db, "TOKEN", "old")

    second = await world.a_secret(db, "TOKEN", "new")

    assert (second.id, second.key_version) == (first.id, 2)
    assert await for_job(db, job) == {"TOKEN": "new"}


async def test_secrets_sealed_with_a_former_key_are_sealed_anew_when_read(db):
    """T113: readable before and after, and under the new key from then on."""
    job = await world.a_job(db)
    secret = await world.a_secret(db, "TOKEN", "value")
    before = await sealed(db, secret)
    rotated = Sealer(NEW_KEY, former=[bytes(32)])

    first = await for_job(db, job, sealer=rotated)
    after = await sealed(db, secret)
    again = await for_job(db, job, sealer=Sealer(NEW_KEY))

    assert first == again == {"TOKEN": "value"}
    assert after != before
    assert not rotated.needs_rotation(after)


async def test_a_secret_whose_key_is_gone_is_not_passed_over(db):
    """A job that lacks a secret must not run as if it had none."""
    job = await world.a_job(db)
    await world.a_secret(db)

    with pytest.raises(SealBroken):
        await for_job(db, job, sealer=Sealer(NEW_KEY))


async def test_a_sealed_value_opens_in_its_own_row_only(db):
    job = await world.a_job(db)
    stolen = await world.a_secret(db, "THEIRS", "value")
    mine = await world.a_secret(db, "MINE", "nothing")
    await db.raw.execute(
        "update secrets set sealed = $2 where id = $1", mine.id, await sealed(db, stolen)
    )

    with pytest.raises(SealBroken):
        await for_job(db, job)


async def test_without_an_encryption_key_nothing_is_kept(db):
    await world.a_project(db)

    with pytest.raises(Unavailable, match="no encryption key"):
        await secrets.save(
            db,
            Sealer(None),
            NewSecret(project_id=world.PROJECT, secret_key="TOKEN", value="value"),
        )

    assert await world.count(db, "secrets") == 0


async def test_a_secret_is_for_a_job_of_its_project(db):
    """T73."""
    theirs = await world.a_job(db, project_id="proj_2")

    with pytest.raises(NotFound, match="job not found"):
        await world.a_secret(db, job=str(theirs.id))


async def test_a_secret_needs_a_project(db):
    new = NewSecret(project_id="nowhere", secret_key="TOKEN", value="value")

    with pytest.raises(NotFound, match="project not found"):
        await secrets.save(db, world.SEALER, new)


async def test_a_secret_says_its_name_but_not_its_value():
    new = NewSecret(project_id="proj_1", secret_key="TOKEN", value="hunter2")

    assert "hunter2" not in repr(new)


async def test_a_list_is_by_job_and_environment(db):
    job = await world.a_job(db)
    mine = await world.a_secret(db, "MINE", job=str(job.id))
    staging = await world.a_secret(db, "STAGING", environment="staging")

    of_job = await secrets.list_secrets(db, world.PROJECT, PageRequest(), job=str(job.id))
    of_staging = await secrets.list_secrets(db, world.PROJECT, PageRequest(), environment="staging")

    assert [secret.id for secret in of_job.data] == [mine.id]
    assert [secret.id for secret in of_staging.data] == [staging.id]
