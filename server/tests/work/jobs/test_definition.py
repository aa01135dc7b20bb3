"""What a definition may say (api 9.3, 6.3; behaviour 4.1, 4.2, 2.11; traps T6b, T30, T80)."""

import msgspec
import pytest
from work.jobs.saying import BLANK, DEFAULTS, ID, MANY, said, terms

from strait_server.base.errors import Invalid
from strait_server.work.jobs.model import (
    JobDefaults,
    RateLimitKey,
    UpdateJob,
)
from strait_server.work.jobs.rules import definition


def refusal(**fields):
    with pytest.raises(Invalid) as refused:
        definition.check(terms(**fields))
    return refused.value


def problems(**fields):
    return list(refusal(**fields).problems)


def test_a_job_that_says_only_what_it_must_gets_the_defaults():
    job = terms()

    definition.check(job)
    assert (job.max_attempts, job.timeout_secs) == (3, 300)
    assert (job.retry_strategy, job.retry_priority_boost) == ("exponential", 1)
    assert job.enabled
    assert job.max_concurrency == 0


def test_the_operator_decides_the_defaults():
    defaults = JobDefaults(max_attempts=7, timeout_secs=60, max_concurrency=9)

    job = definition.blank(ID, "p1", defaults)

    assert (job.max_attempts, job.timeout_secs, job.max_concurrency) == (7, 60, 9)


def test_everything_that_is_missing_is_told_at_once():
    with pytest.raises(Invalid, match=r"^validation failed$") as refused:
        definition.check(BLANK)

    assert list(refused.value.problems) == [
        "name: failed on 'required'",
        "slug: failed on 'required'",
        "endpoint_url: failed on 'required'",
    ]


def test_findings_of_every_kind_are_told_together():
    found = problems(max_attempts=0, retry_strategy="random", timezone="Mars/Olympus", slug="batch")

    assert found == [
        "slug: is reserved",
        "max_attempts: must be between 1 and 100",
        "retry_strategy: must be one of exponential, linear, fixed, custom",
        "timezone: must be the name of an IANA time zone",
    ]


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("name", 255),
        ("slug", 128),
        ("endpoint_url", 2048),
        ("fallback_endpoint_url", 2048),
        ("description", 10_000),
    ],
)
def test_a_text_has_a_longest_length(field, longest):
    definition.check(terms(**{field: "x" * longest}))

    assert problems(**{field: "x" * (longest + 1)}) == [
        f"{field}: must have at most {longest} characters"
    ]


def test_a_name_of_blanks_is_no_name():
    assert problems(name="  ") == ["name: failed on 'required'"]


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("max_attempts", 1, 100),
        ("timeout_secs", 1, 86_400),
        ("retry_priority_boost", 0, 10),
        ("max_concurrency", 0, MANY),
        ("max_concurrency_per_key", 0, MANY),
        ("run_ttl_secs", 0, MANY),
    ],
)
def test_a_number_has_bounds(field, low, high):
    definition.check(terms(**{field: low}))
    definition.check(terms(**{field: high}))

    for value in (low - 1, high + 1, -(10**30), 10**30):
        assert problems(**{field: value}) == [f"{field}: must be between {low} and {high}"]


def test_a_poison_pill_threshold_of_zero_is_off():
    assert terms(poison_pill_threshold=0).poison_pill_threshold is None
    assert terms(poison_pill_threshold=1).poison_pill_threshold == 1
    assert problems(poison_pill_threshold=-1) == [
        f"poison_pill_threshold: must be between 1 and {MANY}"
    ]


@pytest.mark.parametrize("slug", ["resize", "Resize-2", "a", "a.b", "user:new", "0", "a~b_c"])
def test_a_slug_can_stand_in_a_path(slug):
    definition.check(terms(slug=slug))


@pytest.mark.parametrize("slug", ["a/b", "a b", "-a", ".", "..", "ä", "a?", "a#b", "a%20", "a\n"])
def test_a_slug_that_cannot_stand_in_a_path_is_refused(slug):
    assert problems(slug=slug) == [
        "slug: must consist of letters, digits and - _ . : ~, the first a letter or digit"
    ]


@pytest.mark.parametrize("slug", ["batch", "batch-enable", "batch-disable"])
def test_a_slug_is_no_word_of_our_own_paths(slug):
    assert problems(slug=slug) == ["slug: is reserved"]


@pytest.mark.parametrize("slug", [str(ID), str(ID).upper(), ID.hex, ID.urn])
def test_a_slug_does_not_look_like_an_id(slug):
    assert problems(slug=slug) == ["slug: must not look like an id"]


@pytest.mark.parametrize("strategy", ["exponential", "linear", "fixed"])
def test_the_retry_strategies_are_accepted(strategy):
    definition.check(terms(retry_strategy=strategy))


def test_a_custom_retry_strategy_needs_its_delays():
    """T30."""
    definition.check(terms(retry_strategy="custom", retry_delays_secs=[5, 60]))

    assert problems(retry_strategy="custom") == [
        "retry_delays_secs: must not be empty when retry_strategy is custom"
    ]
    assert problems(retry_strategy="custom", retry_delays_secs=[]) == [
        "retry_delays_secs: must not be empty when retry_strategy is custom"
    ]


def test_every_retry_delay_is_positive():
    assert problems(retry_delays_secs=[1, 0, 5, -2]) == [
        f"retry_delays_secs[1]: must be between 1 and {MANY}",
        f"retry_delays_secs[3]: must be between 1 and {MANY}",
    ]


def test_there_are_at_most_as_many_retry_delays_as_attempts():
    assert problems(retry_delays_secs=[1] * 101) == [
        "retry_delays_secs: must have at most 100 entries"
    ]


def test_a_rate_limit_has_both_a_number_and_a_window():
    definition.check(terms(rate_limit_max=5, rate_limit_window_secs=60))

    assert problems(rate_limit_max=5) == [
        "rate_limit_window_secs: must be positive when rate_limit_max is"
    ]
    assert problems(rate_limit_window_secs=60) == [
        "rate_limit_max: must be positive when rate_limit_window_secs is"
    ]


def test_rate_limit_keys_are_named_and_positive():
    job = terms(rate_limit_keys=[{"name": "user", "max": 5, "window_secs": 60}])

    definition.check(job)
    assert job.rate_limit_keys == (RateLimitKey(name="user", max=5, window_secs=60),)
    assert problems(rate_limit_keys=[{"name": "", "max": 0, "window_secs": -1}]) == [
        "rate_limit_keys[0].name: failed on 'required'",
        f"rate_limit_keys[0].max: must be between 1 and {MANY}",
        f"rate_limit_keys[0].window_secs: must be between 1 and {MANY}",
    ]


def test_a_rate_limit_key_stands_once_per_window():
    """Each run would count twice."""
    day = {"name": "user", "max": 50, "window_secs": 86_400}
    minute = {"name": "user", "max": 5, "window_secs": 60}

    definition.check(terms(rate_limit_keys=[day, minute]))
    assert problems(rate_limit_keys=[day, minute, {**day, "max": 60}]) == [
        "rate_limit_keys[2]: another entry has this name and window_secs"
    ]


def test_tags_have_limits():
    definition.check(terms(tags={"k" * 64: "v" * 256}))

    assert problems(tags={str(n): "" for n in range(21)}) == ["tags: must have at most 20 entries"]
    assert problems(tags={"team": "v" * 257}) == ["tags.team: must have at most 256 characters"]
    assert problems(tags={"k" * 65: ""}) == [
        f"tags.{'k' * 64}: the key must have 1 to 64 characters"
    ]
    assert problems(tags={"": ""}) == ["tags.: the key must have 1 to 64 characters"]


def test_default_metadata_has_limits():
    definition.check(terms(default_run_metadata={"k" * 128: "v" * 1024}))

    assert problems(default_run_metadata={"region": "v" * 1025}) == [
        "default_run_metadata.region: must have at most 1024 characters"
    ]


def test_default_metadata_leaves_our_own_keys_alone():
    assert problems(default_run_metadata={"_error_hash": "x"}) == [
        "default_run_metadata._error_hash: keys that start with _ are reserved"
    ]


@pytest.mark.parametrize("window", ["* 9-17 * * 1-5", "*/5 * * * *", "@hourly"])
def test_an_execution_window_is_a_cron_expression(window):
    definition.check(terms(execution_window_cron=window))


@pytest.mark.parametrize("window", ["* 9-17 * *", "0 * * * * *", "61 * * * *", "0 0 30 2 *", "x"])
def test_an_execution_window_that_never_opens_or_cannot_be_read_is_refused(window):
    refused = refusal(execution_window_cron=window)

    assert refused.message == "invalid execution_window_cron expression"
    assert refused.problems[0].startswith("execution_window_cron: ")


def test_an_execution_window_has_a_longest_length():
    assert problems(execution_window_cron="1" * 257) == [
        "execution_window_cron: must have at most 256 characters"
    ]


def test_a_bad_window_among_other_findings_is_one_of_them():
    refused = refusal(execution_window_cron="x", max_attempts=0)

    assert refused.message == "validation failed"
    assert len(refused.problems) == 2


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Etc/GMT+5"])
def test_a_zone_of_the_iana_database_is_accepted(zone):
    """T80."""
    definition.check(terms(timezone=zone))


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "America", "localtime", "../etc/passwd", "/etc/localtime", "x" * 70]
)
def test_any_other_zone_is_refused(zone):
    """T80."""
    assert problems(timezone=zone) == ["timezone: must be the name of an IANA time zone"]


@pytest.mark.parametrize("field", ["payload_schema", "result_schema"])
def test_a_schema_is_compiled_before_it_is_kept(field):
    definition.check(terms(**{field: {"type": "object", "required": ["image"]}}))

    (problem,) = problems(**{field: {"type": "thing"}})
    assert problem.startswith(f"{field}: schema is not valid: ")
    assert problems(**{field: []}) == [f"{field}: schema must be an object"]


def test_a_schema_is_kept_as_it_was_written():
    written = b'{"type":"object",  "required":["b","a"]}'

    change = msgspec.json.decode(b'{"payload_schema":%b}' % written, type=UpdateJob)

    assert definition.amended(BLANK, change, DEFAULTS).payload_schema == msgspec.Raw(written)


def test_an_endpoint_secret_has_a_longest_length():
    definition.check(terms(), UpdateJob(endpoint_secret="s" * 256))

    with pytest.raises(Invalid) as refused:
        definition.check(terms(), UpdateJob(endpoint_secret="s" * 257))
    assert list(refused.value.problems) == ["endpoint_secret: must have at most 256 characters"]


@pytest.mark.parametrize("mode", ["http", "", None])
def test_a_job_is_executed_over_http(mode):
    definition.check(terms(), said(execution_mode=mode))


@pytest.mark.parametrize(
    ("mode", "message", "problem"),
    [
        (
            "managed",
            "managed execution is not available: COMPUTE_RUNTIME not configured",
            "execution_mode: must be http: managed execution is not available",
        ),
        ("worker", "validation failed", "execution_mode: must be http"),
    ],
)
def test_there_is_no_other_way_to_execute_a_job(mode, message, problem):
    with pytest.raises(Invalid) as refused:
        definition.check(terms(), said(execution_mode=mode))

    assert (refused.value.message, refused.value.problems) == (message, (problem,))
