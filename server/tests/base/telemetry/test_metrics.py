"""Metrics (behaviour 15.1; api 9.1)."""

import bisect

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from strait_server.base.telemetry.instruments import Counter, Gauge, Histogram
from strait_server.base.telemetry.metrics import Metrics

NAMES = [
    "strait_run_transitions_total",
    "strait_run_duration",
    "strait_run_latency_anomalies_total",
    "strait_run_snooze_total",
    "strait_dequeue_duration",
    "strait_queue_depth",
    "strait_queue_depth_per_job",
    "strait_dlq_depth",
    "strait_dispatch_duration",
    "strait_dispatch_errors_total",
    "strait_execution_trace_dispatch_duration",
    "strait_execution_trace_queue_wait_duration",
    "strait_pool_running_workers",
    "strait_pool_waiting_tasks",
    "strait_pool_submitted_tasks_total",
    "strait_pool_completed_tasks_total",
    "strait_pool_successful_tasks_total",
    "strait_pool_failed_tasks_total",
    "strait_pool_dropped_tasks_total",
    "strait_reaper_operations_total",
    "strait_reaper_records_deleted_total",
    "strait_scheduler_poller_runs_queued_total",
    "strait_loop_restarts_total",
    "strait_db_pool_total_conns",
    "strait_db_pool_idle_conns",
    "strait_db_pool_acquired_conns",
    "strait_db_pool_max_conns",
    "strait_http_request_duration",
    "strait_http_inflight_requests",
    "strait_shutdown_total",
]


def samples(metrics):
    """Read the text as a Prometheus server would: by sample name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render_text().decode())
        for sample in family.samples
    }


def test_the_list_has_the_public_names():
    assert [instrument.name for instrument in Metrics().instruments] == NAMES


def test_every_metric_is_there_from_the_start_even_if_nothing_happened():
    text = Metrics().render_text().decode()

    for name in NAMES:
        assert f"# HELP {name} " in text
        assert f"# TYPE {name} " in text


def test_counters_count_by_label():
    metrics = Metrics()

    metrics.runs.transitions.add(5, "queued", "dequeued")
    metrics.runs.transitions.add(2, "queued", "dequeued")
    metrics.runs.snoozes.add(1)

    read = samples(metrics)
    assert read["strait_run_transitions_total", ("from", "queued"), ("to", "dequeued")] == 7
    assert read[("strait_run_snooze_total",)] == 1
    assert read[("strait_dispatch_errors_total",)] == 0


def test_gauges_are_set_moved_replaced_and_followed():
    metrics = Metrics()

    metrics.queue.depth.set(3, "queued")
    metrics.http.inflight.add(1)
    metrics.http.inflight.add(1)
    metrics.http.inflight.add(-1)
    metrics.queue.dead_letters.replace({("j1",): 1, ("j2",): 2})
    metrics.queue.dead_letters.replace({("j2",): 5})
    metrics.database.idle.follow(lambda: 7)

    read = samples(metrics)
    assert read["strait_queue_depth", ("status", "queued")] == 3
    assert read[("strait_http_inflight_requests",)] == 1
    assert read["strait_dlq_depth", ("job_id", "j2")] == 5
    assert ("strait_dlq_depth", ("job_id", "j1")) not in read
    assert read[("strait_db_pool_idle_conns",)] == 7


def test_a_histogram_takes_many_observations_at_once():
    metrics = Metrics()

    metrics.runs.duration.observe([0.1, 0.2, 1.0, 400.0], "completed")

    read = samples(metrics)
    status = ("status", "completed")
    assert read["strait_run_duration_bucket", ("le", "0.1"), status] == 1
    assert read["strait_run_duration_bucket", ("le", "1.0"), status] == 3
    assert read["strait_run_duration_bucket", ("le", "300.0"), status] == 3
    assert read["strait_run_duration_bucket", ("le", "+Inf"), status] == 4
    assert read["strait_run_duration_count", status] == 4
    assert read["strait_run_duration_sum", status] == pytest.approx(401.3)


@given(
    st.lists(st.floats(0, 1000)),
    st.lists(st.floats(0, 1000), min_size=1, unique=True).map(sorted),
)
def test_a_bucket_counts_all_that_is_not_above_its_bound(values, bounds):
    histogram = Histogram("h", "help", bounds=bounds)

    histogram.observe(values)

    [family] = histogram.collect()
    counts = [it.value for it in family.samples if it.name == "h_bucket"]
    ordered = sorted(values)
    assert counts == [*(bisect.bisect_right(ordered, bound) for bound in bounds), len(values)]


@pytest.mark.parametrize(
    "record",
    [
        lambda: Counter("c", "help", "a").add(1),
        lambda: Counter("c", "help").add(1, "x"),
        lambda: Gauge("g", "help", "a").set(1, "x", "y"),
        lambda: Gauge("g", "help", "a").replace({("x", "y"): 1}),
        lambda: Gauge("g", "help", "a").follow(lambda: 1),
        lambda: Histogram("h", "help", "a", bounds=[1]).observe([1]),
    ],
)
def test_a_wrong_number_of_labels_is_noticed_at_once(record):
    with pytest.raises(ValueError, match="has the labels"):
        record()


def test_json_tells_the_same_as_the_text():
    metrics = Metrics()
    metrics.runs.transitions.add(5, "queued", "dequeued")
    metrics.runs.duration.observe([0.2], "completed")

    told = msgspec.to_builtins(metrics.render_json())

    assert told[0] == {
        "name": "strait_run_transitions_total",
        "type": "counter",
        "help": "Status moves of runs",
        "samples": [
            {
                "name": "strait_run_transitions_total",
                "labels": {"from": "queued", "to": "dequeued"},
                "value": 5,
            }
        ],
    }
    assert {
        (sample["name"], *sorted(sample["labels"].items())): sample["value"]
        for family in told
        for sample in family["samples"]
    } == samples(metrics)


def test_two_processes_in_one_test_do_not_share_their_metrics():
    one, other = Metrics(), Metrics()

    one.runs.snoozes.add(1)

    assert samples(other)[("strait_run_snooze_total",)] == 0
