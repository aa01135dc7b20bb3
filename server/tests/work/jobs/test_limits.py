"""The contract tells the limits that the rules hold (api 6.3, 9.3, 9.9)."""

import pytest

from strait_server.base.http.schemas import Schemas
from strait_server.tenancy.access.routes import CreateKey
from strait_server.tenancy.projects.routes import CreateProject
from strait_server.work.intake.model import TriggerJob, TriggerJobInBulk
from strait_server.work.jobs.model import LENGTHS, MANY, METADATA, RANGES, TAGS, CloneJob, CreateJob
from strait_server.work.jobs.routes import CreateJobs, PauseJob, SwitchJobs
from strait_server.work.runs.routes.changing import CancelRuns, ReplayDeadLetters, ReplayRuns


@pytest.mark.parametrize("field", [*LENGTHS, *RANGES])
def test_the_contract_tells_the_limits_that_the_rules_hold(field):
    schema = Schemas()
    schema.of(CreateJob)
    told = schema.components["CreateJob"]["properties"][field]["anyOf"][0]

    if field in LENGTHS:
        assert (told["minLength"], told["maxLength"]) == LENGTHS[field]
    elif field == "poison_pill_threshold":
        assert told["minimum"] == 0  # which turns it off
    else:
        assert (told["minimum"], told["maximum"]) == RANGES[field]


def test_the_contract_tells_the_limits_of_labels_and_entries():
    schema = Schemas()
    schema.of(CreateJob)
    properties = schema.components["CreateJob"]["properties"]
    entry = schema.components["RateLimitKey"]["properties"]

    for field, extent in (("tags", TAGS), ("default_run_metadata", METADATA)):
        labels = properties[field]["anyOf"][0]
        assert labels["maxProperties"] == extent.entries
        assert labels["propertyNames"]["maxLength"] == extent.key
        assert labels["additionalProperties"]["maxLength"] == extent.value
    for kind, field in ((CreateJob, "default_run_metadata"), (TriggerJob, "metadata")):
        schema.of(kind)
        labels = schema.components[kind.__name__]["properties"][field]["anyOf"][0]
        assert labels["propertyNames"]["pattern"] == "^[^_]"
    assert (entry["name"]["minLength"], entry["name"]["maxLength"]) == (1, METADATA.key)
    assert (entry["max"]["minimum"], entry["window_secs"]["maximum"]) == (1, MANY)


@pytest.mark.parametrize(
    ("kind", "field", "limit", "most"),
    [
        (PauseJob, "reason", "maxLength", 500),
        (CreateJobs, "jobs", "maxItems", 50),
        (SwitchJobs, "ids", "maxItems", 50),
        (SwitchJobs, "job_ids", "maxItems", 50),
        (CancelRuns, "run_ids", "maxItems", 100),
        (CancelRuns, "ids", "maxItems", 100),
        (ReplayRuns, "run_ids", "maxItems", 100),
        (ReplayDeadLetters, "run_ids", "maxItems", 500),
        (ReplayDeadLetters, "limit", "maximum", 500),
        (ReplayRuns, "run_ids", "minItems", 1),
        (TriggerJobInBulk, "items", "minItems", 1),
        (TriggerJobInBulk, "items", "maxItems", 500),
        (CreateKey, "scopes", "minItems", 1),
        (CreateProject, "id", "pattern", r"^(?!.*\.\.)[^/\x00-\x1f\x7f]{1,64}$"),
        (CloneJob, "slug", "pattern", "^(?:[A-Za-z0-9][A-Za-z0-9_.:~-]*)?$"),
    ],
)
def test_the_contract_tells_how_much_a_request_may_hold(kind, field, limit, most):
    schema = Schemas()
    schema.of(kind)
    told = schema.components[kind.__name__]["properties"][field]

    assert told.get("anyOf", [told])[0][limit] == most
