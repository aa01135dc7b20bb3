-- Runs as the API shows them.

-- part: run
-- All there is to show of a run. Payloads and results of more than :most bytes are left
-- out: a page must not weigh megabytes. `snooze_count` is a number inside and text
-- outside, like all metadata.
select runs.id, runs.job_id, runs.project_id, runs.status, runs.triggered_by, runs.attempt, runs.priority,
    runs.job_version, runs.lineage_depth, runs.debug_mode, runs.created_at,
    jobs.slug as job_slug, runs.job_version_id, runs.tags,
    case
        when runs.metadata ? 'snooze_count'
            then runs.metadata || jsonb_build_object('snooze_count', runs.metadata ->> 'snooze_count')
        else runs.metadata
    end as metadata,
    case when pg_column_size(run_payloads.payload) <= :most::integer then run_payloads.payload end as payload,
    case when pg_column_size(runs.result) <= :most then runs.result end as result,
    runs.error, runs.error_class,
    case when runs.trace is not null then
        json_build_object(
            'queue_wait_ms', runs.trace[1], 'dequeue_ms', runs.trace[2], 'connect_ms', runs.trace[3],
            'ttfb_ms', runs.trace[4], 'transfer_ms', runs.trace[5], 'dispatch_ms', runs.trace[6],
            'total_ms', runs.trace[7])
    end as execution_trace,
    runs.scheduled_at, runs.started_at, runs.finished_at, runs.finished_at as completed_at, runs.heartbeat_at,
    runs.next_retry_at, runs.expires_at, runs.updated_at, runs.parent_run_id, runs.batch_id,
    runs.concurrency_key, runs.idempotency_key, 'http' as execution_mode, runs.created_by

-- name: read
-- Whole runs, in the order asked for.
-- use: run
from unnest(:ids::uuid[]) with ordinality as wanted (id, n)
join runs on runs.id = wanted.id
left join run_payloads on run_payloads.run_id = runs.id
left join jobs on jobs.id = runs.job_id
where :project_id::text is null or runs.project_id = :project_id
order by wanted.n;

-- name: read_one
-- A whole run. As one of several it would be planned anew each time, which takes
-- longer than to read it: how many ids there are a plan would want to know.
-- use: run
from runs
left join run_payloads on run_payloads.run_id = runs.id
left join jobs on jobs.id = runs.job_id
where runs.id = :id
  and (:project_id::text is null or runs.project_id = :project_id);

-- name: moves
-- When a run changed its state, and to which.
select moves
from runs
where id = :id
  and (:project_id::text is null or project_id = :project_id);

-- name: told
-- What was told of a run, after a place in its story.
select id, run_id, type, level, message, data, created_at
from run_events
where run_id = :run_id
  and (:types::text[] is null or type = any(:types))
  and (:levels::text[] is null or level = any(:levels))
  and (created_at, id) > (:after_at::timestamptz, :after_id::uuid)
order by created_at, id
limit :limit;

-- name: batch_counts
-- How the runs of a bulk trigger stand: there are no more of them than it had items.
select status, count(*)::integer as runs
from runs
where batch_id = :batch_id
  and project_id = :project_id
group by status;
