"""Writing definitions (api 9.3; behaviour 3.8, 9.2, 13.8, 16.1; trap T73)."""

import asyncio

import msgspec
import pytest
import world

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Unavailable,
)
from strait_server.base.outbound.resolver import Resolver
from strait_server.tenancy.access.model import Actor, ActorType
from strait_server.work.jobs.model import (
    CloneJob,
    CreateJob,
    SetEndpoint,
    SlugTaken,
    UpdateJob,
)
from strait_server.work.jobs.service import define, pausing

INTERNAL = Actor(id="internal", type=ActorType.INTERNAL)


def resize(**fields):
    sound = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}
    return CreateJob(**{**sound, **fields})


async def a_job(db, means, actor, **fields):
    return await define.create(db, means, actor, resize(**fields))


async def inside(db, job):
    """Look up what no answer tells: the revision and the sealed secret."""
    return await db.raw.fetchrow("select revision, endpoint_secret from jobs where id = $1", job.id)


async def test_a_new_job_is_version_1_enabled_and_not_paused(db, means, actor):
    job = await a_job(db, means, actor)

    assert (job.version, job.enabled, job.paused) == (1, True, False)
    assert job.version_id.startswith("ver_")
    assert (job.created_by, job.updated_by) == ("apikey:proj_1", "apikey:proj_1")
    assert (await inside(db, job))["revision"] == 1


async def test_a_job_is_kept_as_it_was_described(db, means, actor):
    said = {
        "description": "makes thumbnails",
        "fallback_endpoint_url": "https://svc.example/again",
        "payload_schema": msgspec.Raw(b'{"type":"object","required":["b","a"]}'),
        "result_schema": msgspec.Raw(b'{"type":"array"}'),
        "tags": {"team": "media"},
        "default_run_metadata": {"region": "eu"},
        "max_attempts": 5,
        "timeout_secs": 20,
        "retry_strategy": "custom",
        "retry_delays_secs": (1, 5),
        "retry_priority_boost": 0,
        "poison_pill_threshold": 2,
        "max_concurrency": 3,
        "max_concurrency_per_key": 1,
        "rate_limit_max": 100,
        "rate_limit_window_secs": 60,
        "rate_limit_keys": (),
        "run_ttl_secs": 900,
        "execution_window_cron": "* 9-17 * * 1-5",
        "timezone": "America/New_York",
        "enabled": False,
    }

    job = await a_job(db, means, actor, **said)

    kept = msgspec.json.decode(msgspec.json.encode(await define.get(db, actor, str(job.id))))
    wanted = msgspec.json.decode(msgspec.json.encode(said))
    assert {name: kept.get(name) for name in said} == {**wanted, "rate_limit_keys": None}


async def test_a_job_is_found_by_its_id_or_its_slug(db, means, actor):
    job = await a_job(db, means, actor)

    assert await define.get(db, actor, str(job.id)) == job
    assert await define.get(db, actor, "resize") == job


async def test_a_slug_is_found_in_the_actors_project_only(db, means, actor, stranger):
    await a_job(db, means, actor)
    theirs = await a_job(db, means, stranger)

    assert (await define.get(db, stranger, "resize")).id == theirs.id


async def test_an_internal_caller_without_a_project_finds_a_job_by_its_id_only(db, means, actor):
    job = await a_job(db, means, actor)

    assert await define.get(db, INTERNAL, str(job.id)) == job
    with pytest.raises(NotFound, match=r"^job not found$"):
        await define.get(db, INTERNAL, "resize")


@pytest.mark.parametrize(
    "act",
    [
        lambda db, means, actor, job: define.get(db, actor, job),
        lambda db, means, actor, job: define.update(db, means, actor, job, UpdateJob(name="x")),
        define.delete,
        lambda db, means, actor, job: define.clone(db, means, actor, job, CloneJob()),
        lambda db, means, actor, job: define.set_endpoint(
            db, means, actor, job, SetEndpoint(endpoint_url="https://svc.example/")
        ),
        lambda db, means, actor, job: pausing.pause(db, means, actor, job, reason=None),
        pausing.resume,
    ],
    ids=["get", "update", "delete", "clone", "set endpoint", "pause", "resume"],
)
async def test_another_projects_job_is_not_found(db, means, actor, stranger, act):
    """T73."""
    job = await a_job(db, means, actor)

    with pytest.raises(NotFound, match=r"^job not found$"):
        await act(db, means, stranger, str(job.id))
    assert await define.get(db, actor, str(job.id)) == job


async def test_a_job_cannot_be_created_in_another_project(db, means, actor, stranger):
    """T73."""
    with pytest.raises(Forbidden, match=r"^access denied$"):
        await a_job(db, means, actor, project_id="proj_2")


async def test_an_internal_caller_names_the_project(db, means, actor):
    job = await a_job(db, means, INTERNAL, project_id=world.PROJECT)

    assert (job.project_id, job.created_by) == (world.PROJECT, "internal")
    with pytest.raises(Invalid, match=r"^project_id is required$"):
        await a_job(db, means, INTERNAL)
    with pytest.raises(NotFound, match=r"^project not found$"):
        await a_job(db, means, INTERNAL, project_id="nowhere")


async def test_a_slug_is_taken_once_per_project(db, means, actor, stranger):
    await a_job(db, means, actor)
    await a_job(db, means, stranger)

    with pytest.raises(
        SlugTaken, match=r'^job with slug "resize" already exists: job slug conflict$'
    ):
        await a_job(db, means, actor)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://svc.example/", "must be an absolute http or https URL"),
        ("https://inside.example/", "host is not allowed"),
        ("https://nowhere.example/", "host cannot be resolved"),
        ("http://127.0.0.1:9/", "host is not allowed"),
        ("https://user:word@svc.example/", "must not contain a user name or password"),
    ],
)
async def test_an_endpoint_is_looked_up_before_it_is_kept(db, means, actor, url, why):
    with pytest.raises(Invalid, match=rf"^invalid endpoint_url: {why}$"):
        await a_job(db, means, actor, endpoint_url=url)
    with pytest.raises(Invalid, match=rf"^invalid fallback_endpoint_url: {why}$"):
        await a_job(db, means, actor, fallback_endpoint_url=url)
    assert await world.count(db, "jobs") == 0


async def test_both_endpoints_are_refused_at_once(db, means, actor):
    with pytest.raises(Invalid) as refused:
        await a_job(db, means, actor, endpoint_url="x:", fallback_endpoint_url="y:")

    assert len(refused.value.problems) == 2


async def test_an_endpoint_that_stays_is_not_looked_up_again(db, means, actor):
    """A name service that is down must not keep anybody from mending a job."""
    job = await a_job(db, means, actor)
    await db.raw.execute("update jobs set endpoint_url = 'https://nowhere.example/'")

    changed = await define.update(db, means, actor, str(job.id), UpdateJob(max_attempts=9))

    assert changed.max_attempts == 9


async def test_a_project_has_at_most_as_many_jobs_as_its_quota(db, means, actor, stranger):
    await db.raw.execute("insert into project_quotas (project_id, max_jobs) values ('proj_1', 1)")
    await a_job(db, means, actor)
    await a_job(db, means, stranger)
    await a_job(db, means, stranger, slug="another")

    with pytest.raises(LimitReached, match=r"^project jobs quota exceeded$"):
        await a_job(db, means, actor, slug="another")


async def test_a_secret_is_kept_sealed_and_not_shown(db, means, actor):
    job = await a_job(db, means, actor, endpoint_secret="s3cret")

    assert job.endpoint_secret_set
    assert b"s3cret" not in msgspec.json.encode(job)
    sealed = (await inside(db, job))["endpoint_secret"]
    opened = means.sealer.open(sealed, table="jobs", row_id=job.id, column="endpoint_secret")
    assert opened == "s3cret"


async def test_without_a_key_no_secret_is_kept(db, means, actor):
    keyless = means._replace(sealer=Sealer(None))

    with pytest.raises(Unavailable):
        await a_job(db, keyless, actor, endpoint_secret="s3cret")
    assert not (await a_job(db, keyless, actor)).endpoint_secret_set


async def test_a_change_makes_the_next_version(db, means, actor):
    job = await a_job(db, means, actor)
    editor = Actor(id="apikey:other", type=ActorType.API_KEY, project_id=world.PROJECT)

    changed = await define.update(db, means, editor, "resize", UpdateJob(max_attempts=5))

    assert (changed.version, changed.max_attempts) == (2, 5)
    assert changed.version_id != job.version_id
    assert (changed.created_by, changed.updated_by) == ("apikey:proj_1", "apikey:other")
    assert (await inside(db, job))["revision"] == 2


async def test_a_change_leaves_alone_what_it_does_not_name(db, means, actor):
    job = await a_job(db, means, actor, tags={"team": "media"}, max_concurrency=2)

    changed = await define.update(db, means, actor, "resize", UpdateJob(name="Shrink"))

    same = {"name": "Shrink", "version": 2, "version_id": changed.version_id}
    assert changed == msgspec.structs.replace(job, **same, updated_at=changed.updated_at)


async def test_what_changes_nothing_makes_no_version(db, means, actor):
    job = await a_job(db, means, actor, tags={"team": "media"})

    said = UpdateJob(name="Resize", tags={"team": "media"}, enabled=True)
    assert await define.update(db, means, actor, "resize", said) == job
    assert (await inside(db, job))["revision"] == 1


async def test_switching_a_job_makes_no_version(db, means, actor):
    job = await a_job(db, means, actor)

    changed = await define.update(db, means, actor, "resize", UpdateJob(enabled=False))

    assert (changed.enabled, changed.version, changed.version_id) == (False, 1, job.version_id)
    assert (await inside(db, job))["revision"] == 2


async def test_a_change_of_a_job_that_somebody_else_changed_is_a_conflict(db, means, actor):
    """Nobody's change is lost."""
    await a_job(db, means, actor)

    loop = asyncio.get_running_loop()

    def lookup(_):
        """Take as much time as somebody else needs."""
        other = define.update(db, means, actor, "resize", UpdateJob(max_attempts=5))
        asyncio.run_coroutine_threadsafe(other, loop).result(5)
        return ["93.184.216.34"]

    slow = means._replace(resolver=Resolver(lookup))
    said = UpdateJob(endpoint_url="https://svc.example/other", max_attempts=7)
    with pytest.raises(
        Conflict, match=r"^job was modified concurrently -- retry with latest version$"
    ):
        await define.update(db, slow, actor, "resize", said)
    slow.resolver.close()
    assert (await define.get(db, actor, "resize")).max_attempts == 5


async def test_a_slug_cannot_be_changed_to_a_taken_one(db, means, actor):
    await a_job(db, means, actor)
    await a_job(db, means, actor, slug="other")

    with pytest.raises(SlugTaken):
        await define.update(db, means, actor, "other", UpdateJob(slug="resize"))


async def test_a_refused_change_changes_nothing(db, means, actor):
    job = await a_job(db, means, actor)

    with pytest.raises(Invalid, match="validation failed"):
        await define.update(db, means, actor, "resize", UpdateJob(name="x", max_attempts=0))
    assert await define.get(db, actor, "resize") == job


async def test_a_secret_can_be_replaced_and_taken_away(db, means, actor):
    await a_job(db, means, actor, endpoint_secret="one")

    replaced = await define.update(db, means, actor, "resize", UpdateJob(endpoint_secret="two"))
    sealed = (await inside(db, replaced))["endpoint_secret"]
    removed = await define.update(db, means, actor, "resize", UpdateJob(endpoint_secret=""))

    assert (replaced.endpoint_secret_set, replaced.version) == (True, 2)
    opened = means.sealer.open(sealed, table="jobs", row_id=replaced.id, column="endpoint_secret")
    assert opened == "two"
    assert (removed.endpoint_secret_set, removed.version) == (False, 3)


async def test_a_change_of_something_else_keeps_the_secret(db, means, actor):
    await a_job(db, means, actor, endpoint_secret="one")

    changed = await define.update(db, means, actor, "resize", UpdateJob(max_attempts=5))

    assert changed.endpoint_secret_set


async def test_an_endpoint_is_set_with_a_new_secret_told_once(db, means, actor):
    await a_job(db, means, actor)

    told = await define.set_endpoint(
        db,
        means,
        actor,
        "resize",
        SetEndpoint(endpoint_url="https://svc.example/v2", rotate_signing_secret=True),
    )

    assert told.signing_secret.startswith("esec_")
    assert len(told.signing_secret) == 5 + 64
    assert told.job.endpoint_url == "https://svc.example/v2"
    sealed = (await inside(db, told.job))["endpoint_secret"]
    opened = means.sealer.open(sealed, table="jobs", row_id=told.job.id, column="endpoint_secret")
    assert opened == told.signing_secret


async def test_an_endpoint_must_be_named_to_be_set(db, means, actor):
    await a_job(db, means, actor)

    with pytest.raises(Invalid) as refused:
        await define.set_endpoint(db, means, actor, "resize", SetEndpoint())
    assert list(refused.value.problems) == ["endpoint_url: failed on 'required'"]


async def test_a_copy_is_a_job_of_its_own(db, means, actor):
    job = await a_job(db, means, actor, endpoint_secret="one", max_concurrency=3)
    await define.update(db, means, actor, "resize", UpdateJob(tags={"team": "media"}))
    await pausing.pause(db, means, actor, "resize", reason="holiday")

    copy = await define.clone(db, means, actor, "resize", CloneJob(name="Shrink", slug="shrink"))

    assert copy.id != job.id
    assert (copy.name, copy.slug, copy.version, copy.paused) == ("Shrink", "shrink", 1, False)
    assert (copy.max_concurrency, copy.tags) == (3, msgspec.Raw(b'{"team": "media"}'))
    sealed = (await inside(db, copy))["endpoint_secret"]
    opened = means.sealer.open(sealed, table="jobs", row_id=copy.id, column="endpoint_secret")
    assert opened == "one"


async def test_a_copy_needs_a_free_slug(db, means, actor):
    await a_job(db, means, actor)

    assert (await define.clone(db, means, actor, "resize", CloneJob())).slug == "resize-copy"
    with pytest.raises(SlugTaken):
        await define.clone(db, means, actor, "resize", CloneJob())
