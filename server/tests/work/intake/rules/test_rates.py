"""Which rate limits a run counts against (behaviour 2.10)."""

import pytest
from msgspec.structs import replace

from strait_server.base import clock, ids
from strait_server.work.intake.model import RateScope
from strait_server.work.intake.rules.rates import scopes
from strait_server.work.jobs.model import Job, RateLimitKey

JOB = Job(
    id=ids.new_id(),
    project_id="proj_1",
    name="A job",
    slug="a-job",
    endpoint_url="http://endpoint.example/",
    max_attempts=3,
    timeout_secs=300,
    enabled=True,
    paused=False,
    execution_mode="http",
    retry_strategy="exponential",
    retry_priority_boost=1,
    version=1,
    version_id="ver_0",
    created_at=clock.now(),
    updated_at=clock.now(),
)
KEYED = replace(JOB, rate_limit_keys=(RateLimitKey(name="customer", max=5, window_secs=60),))


def scope_of(payload, *, job=KEYED, **tags):
    found = scopes(job, payload, tags)
    return found[0].scope if found else None


def test_a_number_too_large_for_a_float_is_a_value_too():
    assert scope_of(b'{"customer":1e999}') != scope_of(b'{"customer":1e998}')


def test_a_job_without_limits_has_none():
    assert scopes(JOB, b"{}", {}) == ()


@pytest.mark.parametrize("limit", [{"rate_limit_max": 5}, {"rate_limit_window_secs": 60}])
def test_half_a_limit_is_none(limit):
    """T6b."""
    assert scopes(replace(JOB, **limit), b"{}", {}) == ()


def test_a_job_limits_all_its_runs():
    job = replace(JOB, rate_limit_max=5, rate_limit_window_secs=60)

    [scope] = scopes(job, b"{}", {})

    assert (scope.limit, scope.window_seconds) == (5, 60)


def test_a_payload_field_goes_before_a_tag():
    assert scope_of(b'{"customer":"a"}', customer="b") == scope_of(b'{"customer":"a"}')
    assert scope_of(b"{}", customer="b") == scope_of(b'{"customer":"b"}')


@pytest.mark.parametrize("payload", [b"{}", b"[1]", b'"customer"', b"null", b'{"customer":null}'])
def test_a_payload_without_the_field_is_not_limited(payload):
    assert scope_of(payload) is None


def test_values_that_are_equal_share_a_limit():
    assert scope_of(b'{"customer":{"a":1,"b":[2]}}') == scope_of(b'{"customer":{"b":[2],"a":1}}')
    assert scope_of(b'{"customer":1.10}') == scope_of(b'{"customer":1.1}')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"customer":9007199254740993}', b'{"customer":9007199254740992}'),  # T95
        (b'{"customer":"a"}', b'{"customer":"A"}'),
        (b'{"customer":""}', b'{"customer":" "}'),
        (b'{"customer":"' + b"x" * 5000 + b'a"}', b'{"customer":"' + b"x" * 5000 + b'b"}'),
    ],
)
def test_values_that_differ_do_not(one, other):
    assert scope_of(one) != scope_of(other)


def test_names_and_values_cannot_be_confused():
    one = replace(JOB, rate_limit_keys=(RateLimitKey(name="a", max=1, window_secs=1),))
    other = replace(JOB, rate_limit_keys=(RateLimitKey(name='a","b', max=1, window_secs=1),))

    assert scope_of(b'{"a":"b\\",\\"c"}', job=one) != scope_of(b'{"a\\",\\"b":"c"}', job=other)


def test_a_scope_fits_an_index():
    assert len(scope_of(b'{"customer":"' + "é".encode() * 100_000 + b'"}')) < 500


def test_a_number_of_many_digits_is_a_value():
    assert scope_of(b'{"customer":' + b"9" * 4000 + b"}")


@pytest.mark.parametrize(("window", "slices"), [(1, 0.1), (6, 0.1), (60, 1), (3600, 60)])
def test_a_window_is_counted_in_sixtieths_but_not_finer_than_a_tenth_of_a_second(window, slices):
    assert RateScope("s", 1, window, "full").slice_seconds == slices
