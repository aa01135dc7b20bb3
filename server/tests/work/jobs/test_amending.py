"""What a change makes of a definition (api 9.3; trap T6b)."""

import pytest
from work.jobs.saying import DEFAULTS, a_job, said

from strait_server.base.errors import Invalid
from strait_server.work.jobs.model import JobDefaults
from strait_server.work.jobs.rules import definition


def test_what_is_not_said_stays():
    job = a_job(description="makes thumbnails", tags={"team": "media"})

    assert definition.changes(job, definition.amended(job, said(), DEFAULTS)) == set()


def test_what_is_said_again_is_no_change():
    job = a_job(tags={"b": "2", "a": "1"}, payload_schema={"type": "object"})
    change = said(tags={"a": "1", "b": "2"}, payload_schema={"type": "object"}, max_attempts=3)

    assert definition.changes(job, definition.amended(job, change, DEFAULTS)) == set()


def test_changes_are_named():
    job = a_job()
    change = said(max_attempts=5, tags={"team": "media"}, enabled=False)

    assert definition.changes(job, definition.amended(job, change, DEFAULTS)) == {
        "max_attempts",
        "tags",
        "enabled",
    }


@pytest.mark.parametrize("nothing", ["", None])
@pytest.mark.parametrize(
    "field", ["description", "fallback_endpoint_url", "execution_window_cron", "timezone"]
)
def test_an_empty_text_clears_an_optional_field(field, nothing):
    job = a_job(**{field: "UTC"})

    assert getattr(definition.amended(job, said(**{field: nothing}), DEFAULTS), field) is None


@pytest.mark.parametrize(
    ("field", "value", "nothing"),
    [
        ("tags", {"team": "media"}, {}),
        ("default_run_metadata", {"region": "eu"}, {}),
        ("retry_delays_secs", [1, 2], []),
        ("rate_limit_keys", [{"name": "user", "max": 5, "window_secs": 60}], []),
        ("payload_schema", {"type": "object"}, None),
    ],
)
def test_nothing_clears_a_list_a_map_and_a_schema(field, value, nothing):
    job = a_job(**{field: value})

    assert getattr(definition.amended(job, said(**{field: nothing}), DEFAULTS), field) is None


def test_null_brings_a_number_back_to_its_default():
    job = a_job(max_attempts=9, timeout_secs=10)

    back = definition.amended(job, said(max_attempts=None, timeout_secs=None), DEFAULTS)

    assert (back.max_attempts, back.timeout_secs) == (3, 300)


def test_zero_is_a_limit_of_its_own_and_means_none():
    """T6b: zero lifts a limit, it does not stop the job."""
    job = a_job(max_concurrency=4)

    lifted = definition.amended(job, said(max_concurrency=0), JobDefaults(max_concurrency=9))

    definition.check(lifted)
    assert lifted.max_concurrency == 0


def test_a_required_field_cannot_be_cleared():
    change = definition.amended(a_job(), said(name="", slug=None), DEFAULTS)

    with pytest.raises(Invalid) as refused:
        definition.check(change)
    assert list(refused.value.problems) == [
        "name: failed on 'required'",
        "slug: failed on 'required'",
    ]


def test_a_patch_is_judged_with_what_it_leaves_in_place():
    job = a_job(retry_strategy="custom", retry_delays_secs=[5])

    with pytest.raises(Invalid, match="validation failed"):
        definition.check(definition.amended(job, said(retry_delays_secs=[]), DEFAULTS))
