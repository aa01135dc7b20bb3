"""What an endpoint is sent (behaviour 3.2, 3.7, 13.4, B.7; api 11.1)."""

import crew
import pytest
import world
from endpoint import answer

from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.crypto.signing import sign_v1
from strait_server.work.queue.model import Status

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKENS = RunTokens(crew.ENVIRON["JWT_SIGNING_KEY"])


async def sent(db, endpoint, job, **fields):
    """Trigger a run, and return what its endpoint was sent."""
    before = len(endpoint.requests)
    [run] = await world.queued(db, job, 1, **fields)
    await crew.ended(db, run.id)
    return run, endpoint.requests[before]


async def test_the_headers_are_these_and_no_others(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url("/work?x=1"), slug="adder")

    run, request = await sent(db, endpoint, job, payload=b'{"a": "\xc3\xa9"}')

    told = dict(request.headers)
    assert TOKENS.verify(told.pop("X-Run-Token"), now=0).run_id == run.id
    assert told == {
        "Host": f"127.0.0.1:{endpoint.port}",
        "Content-Length": "11",
        "Content-Type": "application/json",
        "User-Agent": "Strait",
        "X-Run-ID": str(run.id),
        "X-Job-ID": str(job.id),
        "X-Job-Slug": "adder",
        "X-Project-ID": world.PROJECT,
        "X-Attempt": "1",
    }
    assert request.path == "/work?x=1"
    assert request.body == b'{"a": "\xc3\xa9"}'


async def test_the_run_keeps_its_id_over_attempts_and_counts_them(db, hire, endpoint):
    """An endpoint can tell a repetition (D3)."""
    endpoint.on("/work", answer(500), answer())
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)

    [run] = await world.queued(db, job, 1)
    await crew.waits(db, run.id, "retry")
    await crew.make_due(db)
    await crew.ended(db, run.id)

    assert endpoint.attempts() == {str(run.id): [1, 2]}


async def test_a_token_speaks_for_its_attempt_only_and_outlives_the_timeout(db, hire, endpoint):
    """Behaviour 13.4."""
    endpoint.on("/work", answer(500), answer())
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2, timeout_secs=7200)
    now = await db.raw.fetchval("select extract(epoch from now())::float8")

    [run] = await world.queued(db, job, 1, ttl_seconds=60.0)
    await crew.waits(db, run.id, "retry")
    await crew.make_due(db)
    await crew.ended(db, run.id)

    claims = [TOKENS.verify(request["X-Run-Token"], now=now) for request in endpoint.requests]
    assert [claim.attempt for claim in claims] == [1, 2]
    assert {claim.run_id for claim in claims} == {run.id}
    assert {claim.project_id for claim in claims} == {world.PROJECT}
    assert all(claim.expires_at >= now + 7200 + 60 - 1 for claim in claims)


async def test_a_token_lives_as_long_as_its_run_may(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), timeout_secs=10)
    now = await db.raw.fetchval("select extract(epoch from now())::float8")

    _, request = await sent(db, endpoint, job, ttl_seconds=86_400.0)

    assert TOKENS.verify(request["X-Run-Token"], now=now).expires_at >= now + 86_400 - 60


async def test_secrets_travel_as_headers_and_the_jobs_own_win(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.a_secret(db, "REGION", "eu")
    await world.a_secret(db, "TOKEN", "of the project")
    await world.a_secret(db, "TOKEN", "of the job", job=str(job.id))
    other = await world.a_job(db)
    await world.a_secret(db, "OTHER", "of another job", job=str(other.id))

    _, request = await sent(db, endpoint, job)

    assert request["X-Secret-REGION"] == "eu"
    assert request["X-Secret-TOKEN"] == "of the job"
    assert not request.has("X-Secret-OTHER")


async def test_a_secret_that_does_not_open_keeps_the_request_from_being_made(db, hire, endpoint):
    """Behaviour 3.7: a failure of class unknown, which is tried again."""
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)
    secret = await world.a_secret(db, "TOKEN", "value")
    await db.raw.execute("update secrets set sealed = 'k1.00000000.AAAA' where id = $1", secret.id)

    [run] = await world.queued(db, job, 1)
    await crew.waits(db, run.id, "retry")

    row = await crew.the_run(db, run.id)
    assert (row["attempt"], row["error_class"]) == (2, "unknown")
    assert row["error"] == "a stored secret needs the encryption key 00000000"
    assert endpoint.requests == []


async def test_the_second_attempt_is_told_the_error_of_the_first_on_one_line(db, hire, endpoint):
    endpoint.on("/work", answer(503, b"line one\nline\ttwo" + b"x" * 2000), answer())
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)

    [run] = await world.queued(db, job, 1)
    await crew.waits(db, run.id, "retry")
    await crew.make_due(db)
    await crew.ended(db, run.id)

    first, second = endpoint.requests
    assert not first.has("X-Previous-Error")
    told = second["X-Previous-Error"]
    assert told.startswith("endpoint returned 503: line one line two")
    assert len(told.encode()) <= 1024


async def test_the_trace_of_the_trigger_goes_on_to_the_endpoint(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    notes = b'{"_trace_parent": "%b", "_trace_state": "vendor=1", "own": "x"}' % PARENT.encode()

    _, traced = await sent(db, endpoint, job, metadata=notes)
    _, untraced = await sent(db, endpoint, job, metadata=b'{"_trace_parent": "nonsense"}')

    assert traced["Traceparent"] == PARENT
    assert traced["Tracestate"] == "vendor=1"
    assert not untraced.has("Traceparent")


async def test_a_job_with_a_signing_secret_signs_what_it_sends(db, hire, endpoint):
    """B.7: `v1=` and the HMAC of timestamp, dot, body."""
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    sealed = world.SEALER.seal("whsec_test", table="jobs", row_id=job.id, column="endpoint_secret")
    await world.change_job(db, job, endpoint_secret=sealed)

    _, request = await sent(db, endpoint, job, payload=b'{"run_id":"r1"}')

    timestamp = int(request["X-Strait-Timestamp"])
    assert request["X-Strait-Signature"] == sign_v1("whsec_test", timestamp, request.body)
    assert sign_v1("whsec_test", 1_700_000_000, request.body) == (
        "v1=2f968c749c27df9501758a9f038da504a81a51cfcab8bc95bdc210cdf4c061f2"
    )


async def test_a_signing_secret_whose_key_is_gone_fails_the_run(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), endpoint_secret="k1.00000000.AAAA")

    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id) == {run.id: Status.SYSTEM_FAILED}
    assert endpoint.requests == []


async def test_a_redirect_is_a_failure_and_takes_no_secret_along(db, hire, endpoint):
    """T28."""
    elsewhere = endpoint.url("/elsewhere")
    endpoint.on("/work", answer(302, Location=elsewhere))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.a_secret(db, "TOKEN", "value")

    [run] = await world.queued(db, job, 1)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["error_class"], row["attempt"]) == ("dead_letter", "client", 1)
    assert endpoint.to("/elsewhere") == []


async def test_an_endpoint_inside_our_walls_is_not_called(db, hire, endpoint):
    """T29: where private endpoints are not allowed."""
    await hire(allow_private_endpoints=False)
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["error"]) == (
        "system_failed",
        "invalid endpoint_url: host is not allowed",
    )
    assert endpoint.requests == []


@pytest.mark.parametrize("metadata", [b'{"snooze_count": "often"}', b'{"_trace_parent": 5}'])
async def test_a_users_metadata_cannot_break_the_dispatch(db, hire, endpoint, metadata):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1, metadata=metadata)

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
