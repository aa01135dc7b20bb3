"""Every operation of the published client: what to call it with, and what it must answer.

An argument may be a coroutine of the scene, which makes what the call is about.
`keys` are those that the answer must have (api 8, 9).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import world
from wire.scene import Scene, later

RUN = (
    "id job_id project_id status triggered_by attempt priority job_version lineage_depth "
    "debug_mode created_at"
)
JOB = (
    "id project_id name slug endpoint_url max_attempts timeout_secs version version_id enabled "
    "paused retry_strategy created_at updated_at"
)
PAGE = "data has_more"
KEY = "project_id name key key_prefix scopes created_at"
SECRET = "id project_id environment secret_key key_version created_at updated_at"
EVENT = "id run_id type level message created_at"
PROJECT = "id org_id name created_at updated_at"
SETTINGS = "project_id default_region plan_tier"


class Use(NamedTuple):
    """One way to use an operation."""

    status: int
    keys: str = ""
    arguments: Callable[[Scene], Sequence[Any]] = lambda _: ()
    query: Mapping[str, str] | None = None
    caller: str = "owner"


def new_job(it: Scene) -> dict[str, Any]:
    return {
        "project_id": it.project,
        "name": "A job",
        "slug": f"job-{world.new_name()}",
        "endpoint_url": it.endpoint.url("works"),
    }


def new_project(_: Scene) -> dict[str, Any]:
    return {"id": f"proj_{world.new_name()}", "org_id": "org", "name": "Another project"}


COVERED: Mapping[str, Use] = {
    "health.list": Use(200, "status edition version uptime_seconds"),
    "health.get_ready": Use(200, "status components"),
    "health.list_metrics": Use(200, "metrics"),
    "stats.list": Use(200, "queued executing delayed"),
    "projects.create": Use(201, PROJECT, lambda it: [new_project(it)], caller="operator"),
    "projects.list": Use(200, query={"org_id": "org"}),
    "projects.get": Use(200, PROJECT, lambda it: [it.project]),
    "projects.delete": Use(204, "", lambda it: [it.project]),
    "projects.get_settings": Use(200, SETTINGS, lambda it: [it.project]),
    "projects.upsert_settings": Use(
        200, SETTINGS, lambda it: [it.project, {"default_region": "iad", "timezone": "UTC"}]
    ),
    "api_keys.create": Use(201, f"id {KEY}", lambda it: [{"project_id": it.project, "name": "ci"}]),
    "api_keys.list": Use(200, PAGE),
    "api_keys.delete": Use(200, "status", lambda it: [it.other_key()]),
    "api_keys.rotate": Use(
        201,
        f"old_key_id new_key_id grace_expires_at {KEY}",
        lambda it: [it.other_key(), {"grace_period_minutes": 5}],
    ),
    "secrets.create": Use(
        201, SECRET, lambda it: [{"project_id": it.project, "secret_key": "TOKEN", "value": "v"}]
    ),
    "secrets.list": Use(200, PAGE, query={"environment": "production", "limit": "10"}),
    "secrets.delete": Use(204, "", lambda it: [it.secret()]),
    "jobs.create": Use(201, JOB, lambda it: [new_job(it)]),
    "jobs.list": Use(200, PAGE, query={"limit": "10", "tag_key": "team"}),
    "jobs.get": Use(200, JOB, lambda it: [it.job()]),
    "jobs.update": Use(200, JOB, lambda it: [it.job(), {"name": "Another", "enabled": False}]),
    "jobs.delete": Use(204, "", lambda it: [it.job()]),
    "jobs.clone": Use(201, JOB, lambda it: [it.job(), {"name": "Copy", "slug": "copy"}]),
    "jobs.trigger": Use(
        201,
        "id status payload_hash run_token idempotency_hit",
        lambda it: [it.job(), {"payload": {"image": 42}, "priority": 3}],
    ),
    "jobs.bulk_trigger": Use(
        201,
        "batch_id results total created",
        lambda it: [it.job(), {"items": [{"payload": 1}, {}]}],
    ),
    "jobs.batch": Use(201, "created", lambda it: [{"jobs": [new_job(it), new_job(it)]}]),
    "jobs.batch_disable": Use(200, "updated", lambda it: [{"ids": [it.job()]}]),
    "jobs.batch_enable": Use(200, "updated", lambda it: [{"ids": [it.job()]}]),
    "runs.list": Use(200, PAGE, query={"limit": "10", "status": "failed"}),
    "runs.get": Use(200, RUN, lambda it: [it.delayed_run()]),
    "runs.delete": Use(200, RUN, lambda it: [it.delayed_run()]),
    "runs.get_children": Use(200, PAGE, lambda it: [it.delayed_run()]),
    "runs.list_events": Use(200, PAGE, lambda it: [it.delayed_run()]),
    "runs.replay": Use(201, RUN, lambda it: [it.failed_run()]),
    "runs.reschedule": Use(
        200, RUN, lambda it: [it.delayed_run(), {"scheduled_at": later(hours=2)}]
    ),
    "runs.delete_idempotency_key": Use(
        200, "status run_id", lambda it: [it.delayed_run(idempotency_key="once")]
    ),
    "runs.bulk_cancel": Use(
        200, "results total canceled failed", lambda it: [{"run_ids": [it.delayed_run()]}]
    ),
    "runs.bulk_cancel_all": Use(200, "canceled run_ids", lambda it: [{"status": "delayed"}]),
    "runs.bulk_replay": Use(
        200, "results total replayed", lambda it: [{"run_ids": [it.failed_run()]}]
    ),
    "runs.get_dlq": Use(200, PAGE, query={"limit": "10"}),
    "runs.dlq_replay": Use(200, RUN, lambda it: [it.dead_run()]),
    "runs.bulk_dlq_replay": Use(200, "replayed count", lambda it: [{"run_ids": [it.dead_run()]}]),
    "batch_operations.list": Use(200, PAGE),
    "batch_operations.get": Use(
        200, "id project_id job_id item_count created_count created_at", lambda it: [it.batch()]
    ),
    "sdk_runs.get_payload": Use(
        200, "image", lambda it: [it.executing_run(payload={"image": 42})], caller="job_code"
    ),
    "sdk_runs.heartbeat_run": Use(
        200, "status", lambda it: [it.executing_run()], caller="job_code"
    ),
    "sdk_runs.log_run": Use(
        201, EVENT, lambda it: [it.executing_run(), {"message": "line"}], caller="job_code"
    ),
    "sdk_runs.progress_run": Use(
        201, f"{EVENT} data", lambda it: [it.executing_run(), {"percent": 40}], caller="job_code"
    ),
    "sdk_runs.complete_run": Use(
        200, f"{RUN} result", lambda it: [it.executing_run(), {"result": 1}], caller="job_code"
    ),
    "sdk_runs.fail_run": Use(
        200, f"{RUN} error", lambda it: [it.executing_run(), {"error": "no"}], caller="job_code"
    ),
}

# What other milestones bring: each is to move above when its route exists.
LATER: Mapping[str, str] = {
    "analytics": (
        "get_compute get_costs_by_machine get_costs_by_trigger get_costs_forecast get_costs_top "
        "get_events_latency get_events_volume get_job_history get_jobs_by_version "
        "get_jobs_comparison get_jobs_cost_ranking get_jobs_reliability get_jobs_top_failing "
        "get_performance get_runs_by_trigger get_runs_duration_distribution get_runs_summary "
        "get_runs_timeline get_tags_cost get_tags_summary get_tags_top_failing "
        "get_webhooks_endpoint_health get_webhooks_top_failing get_workflows_summary "
        "list_approvals list_cost_insights list_cost_trends list_costs list_runs_failure_reasons "
        "list_webhooks_delivery_stats list_workflow_step_durations "
        "list_workflows_completion_rates"
    ),
    "billing": (
        "check_org_limit export_usage get_anomaly_config get_cost_estimate get_current_usage "
        "get_downgrade_preview get_email_preferences get_project_budget get_spending_limit "
        "get_usage_forecast get_usage_history list_project_costs list_usage_anomalies "
        "upsert_anomaly_config upsert_email_preferences upsert_project_budget "
        "upsert_spending_limit"
    ),
    "cli_auth": "approve_device_code device_code token",
    "deployments": "create finalize list promote rollback",
    "environments": "create delete get list list_variables update",
    "event_sources": (
        "create delete delete_subscription dispatch_event get list list_subscriptions subscribe "
        "update"
    ),
    "event_triggers": (
        "delete_event get_event get_stat get_stream list_events purge_event send_event send_prefix"
    ),
    "job_groups": "create delete get get_stats list list_jobs pause_all resume_all update",
    "jobs": (
        "create_dependency delete_dependency get_health get_version list_dependencies list_versions"
    ),
    "log_drains": "create delete get list update",
    "notification_channels": "create delete get list list_deliveries update",
    "organizations": "list_jobs list_runs",
    "projects": "get_activity_stream",
    "rbac": (
        "bulk_member create_member create_resource_policy create_role create_tag_policy "
        "delete_member delete_resource_policy delete_role delete_tag_policy get_role "
        "list_audit_events list_members list_resource_policies list_roles list_tag_policies "
        "seed_roles update_role"
    ),
    "regions": "list",
    "runs": (
        "debug get_debug_bundle get_lineage get_usage list_checkpoints list_dependency_status "
        "list_outputs list_tool_calls"
    ),
    "sdk_runs": (
        "annotate_run checkpoint_run continue_run delete_state get_state list_state output_run "
        "set_state spawn_run stream_run tool_call_run usage_run wait_for_event_run"
    ),
    "webhooks": (
        "create_subscription delete_subscription get_delivery list_deliveries list_subscriptions "
        "retry_delivery"
    ),
    "workflow_runs": (
        "approve_step bulk_cancel bulk_replay delete force_complete_step get list list_steps "
        "pause replay_subtree_step resume retry retry_step skip_step"
    ),
    "workflows": (
        "clone create delete dry_run get get_diff get_explain get_graph get_graph_by_workflow_id "
        "get_impact get_policy get_version list list_labels list_runs list_steps_by_version "
        "list_versions plan simulate trigger update upsert_policy"
    ),
}


def later_operations() -> set[str]:
    return {f"{service}.{name}" for service, names in LATER.items() for name in names.split()}
