"""Jobs through the door (api 1.2, 3, 4, 9.3, 16.1, 16.4; trap T73)."""

import pytest

SOUND = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}


async def test_a_created_job_is_answered_as_it_is_kept(client):
    answer = await client.post("/v1/jobs", json={**SOUND, "tags": {"team": "media"}})

    assert answer.status_code == 201
    job = answer.json()
    assert set(job) == {
        "id",
        "project_id",
        "name",
        "slug",
        "endpoint_url",
        "max_attempts",
        "timeout_secs",
        "enabled",
        "paused",
        "execution_mode",
        "tags",
        "retry_strategy",
        "retry_priority_boost",
        "version",
        "version_id",
        "created_by",
        "updated_by",
        "created_at",
        "updated_at",
    }
    assert (job["version"], job["enabled"], job["paused"]) == (1, True, False)
    assert (await client.get(f"/v1/jobs/{job['id']}")).json() == job
    assert (await client.get("/v1/jobs/resize")).json() == job


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_managed_execution_is_not_available(client, method):
    await client.post("/v1/jobs", json=SOUND)
    path = "/v1/jobs" if method == "POST" else "/v1/jobs/resize"

    answer = await client.request(
        method, path, json={**SOUND, "slug": "managed", "execution_mode": "managed"}
    )

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("managed execution is not available")
    assert (await client.get("/v1/jobs/managed")).status_code == 404


async def test_unknown_fields_are_ignored(client):
    answer = await client.post("/v1/jobs", json={**SOUND, "webhook_url": "x", "colour": 3})

    assert answer.status_code == 201


async def test_what_is_missing_is_named(client):
    answer = await client.post("/v1/jobs")

    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["code"], problem["message"]) == ("validation_error", "validation failed")
    assert problem["details"] == [
        "name: failed on 'required'",
        "slug: failed on 'required'",
        "endpoint_url: failed on 'required'",
    ]


async def test_a_field_of_the_wrong_type_is_refused(client):
    answer = await client.post("/v1/jobs", json={**SOUND, "max_attempts": "three"})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid request body: max_attempts")


async def test_an_endpoint_inside_our_walls_is_refused(client):
    answer = await client.post("/v1/jobs", json={**SOUND, "endpoint_url": "http://10.0.0.1/"})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid endpoint_url: ")


async def test_a_taken_slug_is_a_conflict(client):
    await client.post("/v1/jobs", json=SOUND)

    answer = await client.post("/v1/jobs", json=SOUND)

    assert answer.status_code == 409
    assert answer.json()["code"] == "conflict"
    assert answer.json()["message"] == 'job with slug "resize" already exists: job slug conflict'


async def test_another_project_in_the_body_is_denied(client):
    """T73."""
    answer = await client.post("/v1/jobs", json={**SOUND, "project_id": "elsewhere"})

    assert answer.status_code == 403
    assert answer.json()["message"] == "access denied"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/clone"),
        ("POST", "/endpoint"),
        ("POST", "/pause"),
        ("POST", "/resume"),
    ],
)
async def test_a_job_that_is_not_there_is_not_found(client, method, path):
    answer = await client.request(method, f"/v1/jobs/nope{path}", json={})

    assert answer.status_code == 404
    assert answer.json()["message"] == "job not found"


async def test_a_change_is_answered_with_its_version(client):
    created = (await client.post("/v1/jobs", json=SOUND)).json()

    answer = await client.patch("/v1/jobs/resize", json={"max_attempts": 5})

    assert answer.status_code == 200
    job = answer.json()
    assert (job["version"], job["max_attempts"]) == (2, 5)
    assert job["version_id"] != created["version_id"]


async def test_a_secret_is_never_answered(client):
    answer = await client.post("/v1/jobs", json={**SOUND, "endpoint_secret": "s3cret"})

    assert answer.json()["endpoint_secret_set"] is True
    assert "s3cret" not in answer.text
    assert "s3cret" not in (await client.get("/v1/jobs/resize")).text


async def test_a_deleted_job_answers_no_body(client):
    await client.post("/v1/jobs", json=SOUND)

    answer = await client.delete("/v1/jobs/resize")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get("/v1/jobs/resize")).status_code == 404


async def test_pausing_needs_no_body(client):
    await client.post("/v1/jobs", json=SOUND)

    paused = await client.post("/v1/jobs/resize/pause")
    again = await client.post("/v1/jobs/resize/pause", json={"reason": "late"})
    resumed = await client.post("/v1/jobs/resize/resume")

    assert [paused.status_code, again.status_code, resumed.status_code] == [200, 200, 200]
    assert (paused.json()["paused"], resumed.json()["paused"]) == (True, False)


async def test_a_copy_is_created(client):
    await client.post("/v1/jobs", json=SOUND)

    answer = await client.post("/v1/jobs/resize/clone", json={"name": "Shrink", "slug": "shrink"})

    assert answer.status_code == 201
    assert (answer.json()["slug"], answer.json()["version"]) == ("shrink", 1)


async def test_an_endpoint_is_set_and_its_secret_told(client):
    await client.post("/v1/jobs", json=SOUND)

    answer = await client.post(
        "/v1/jobs/resize/endpoint",
        json={"endpoint_url": "https://svc.example/v2", "rotate_signing_secret": True},
    )

    assert answer.status_code == 200
    assert answer.json()["job"]["endpoint_url"] == "https://svc.example/v2"
    assert answer.json()["signing_secret"].startswith("esec_")


async def test_a_list_comes_in_pages(client):
    for slug in ("one", "two", "three"):
        await client.post("/v1/jobs", json={**SOUND, "slug": slug})

    first = (await client.get("/v1/jobs", params={"limit": 2})).json()
    rest = (await client.get("/v1/jobs", params={"cursor": first["next_cursor"]})).json()

    assert [job["slug"] for job in first["data"]] == ["three", "two"]
    assert first["has_more"] is True
    assert [job["slug"] for job in rest["data"]] == ["one"]
    assert (rest["has_more"], "next_cursor" in rest) == (False, False)


async def test_a_list_can_be_narrowed(client):
    await client.post("/v1/jobs", json={**SOUND, "slug": "one", "tags": {"team": "media"}})
    await client.post("/v1/jobs", json={**SOUND, "slug": "two", "enabled": False})

    async def slugs(**filters):
        answer = await client.get("/v1/jobs", params=filters)
        return [job["slug"] for job in answer.json()["data"]]

    assert await slugs(tag_key="team", tag_value="media") == ["one"]
    assert await slugs(enabled="false") == ["two"]
    assert await slugs(slug="one") == ["one"]
    assert await slugs() == ["two", "one"]


@pytest.mark.parametrize(
    "filters", [{"tag_value": "media"}, {"limit": 0}, {"cursor": "x"}, {"enabled": "maybe"}]
)
async def test_a_filter_that_makes_no_sense_is_refused(client, filters):
    assert (await client.get("/v1/jobs", params=filters)).status_code == 400


async def test_a_batch_tells_what_was_created_and_what_was_not(client):
    answer = await client.post("/v1/jobs/batch", json={"jobs": [SOUND, SOUND]})

    assert answer.status_code == 201
    assert [job["slug"] for job in answer.json()["created"]] == ["resize"]
    assert answer.json()["errors"] == [
        {"index": 1, "message": 'job with slug "resize" already exists: job slug conflict'}
    ]


async def test_a_batch_of_which_nothing_was_created_is_refused_with_the_same_body(client):
    answer = await client.post("/v1/jobs/batch", json={"jobs": [{}]})

    assert answer.status_code == 400
    refused = answer.json()
    assert refused["created"] == []
    assert [(error["index"], error["message"]) for error in refused["errors"]] == [
        (0, "validation failed")
    ]
    assert refused["code"] == "validation_error"


@pytest.mark.parametrize("field", ["ids", "job_ids"])
async def test_jobs_are_switched_together(client, field):
    job = (await client.post("/v1/jobs", json=SOUND)).json()

    off = await client.post("/v1/jobs/batch-disable", json={field: [job["id"]]})
    disabled = (await client.get("/v1/jobs/resize")).json()
    on = await client.post("/v1/jobs/batch-enable", json={field: [job["id"]]})

    assert (off.status_code, off.json()) == (200, {"updated": 1})
    assert disabled["enabled"] is False
    assert on.json() == {"updated": 1}
    assert (await client.get("/v1/jobs/resize")).json()["enabled"] is True


@pytest.mark.parametrize("path", ["batch", "batch-enable", "batch-disable"])
async def test_an_empty_batch_is_refused(client, path):
    assert (await client.post(f"/v1/jobs/{path}")).status_code == 400


READS = [("GET", ""), ("GET", "/resize")]
WRITES = [
    ("POST", ""),
    ("PATCH", "/resize"),
    ("DELETE", "/resize"),
    ("POST", "/resize/clone"),
    ("POST", "/resize/endpoint"),
    ("POST", "/resize/pause"),
    ("POST", "/resize/resume"),
    ("POST", "/batch"),
    ("POST", "/batch-enable"),
    ("POST", "/batch-disable"),
]


@pytest.mark.parametrize(("method", "path"), READS)
async def test_reading_needs_its_permission(enter_as, method, path):
    writer = await enter_as("jobs:write")

    answer = await writer.request(method, f"/v1/jobs{path}")

    assert answer.status_code == 403
    assert answer.json()["message"] == "insufficient permissions: requires jobs:read"


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_writing_needs_its_permission(enter_as, method, path):
    reader = await enter_as("jobs:read", "jobs:trigger")

    answer = await reader.request(method, f"/v1/jobs{path}", json={})

    assert answer.status_code == 403
    assert answer.json()["message"] == "insufficient permissions: requires jobs:write"
