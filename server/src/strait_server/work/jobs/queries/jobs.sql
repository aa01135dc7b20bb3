-- Definitions as their owners see and change them.
--
-- Each change raises `revision`, is announced on `strait_changed`, and holds the
-- job's row until it is committed. Where a job's runs are moved between gates in
-- the same transaction, their locks come after the row's.

-- name: find
-- By id, or by slug within the project; the id wins.
select id, project_id, name, slug, endpoint_url, max_attempts, timeout_secs, enabled, retry_strategy,
    retry_priority_boost, description, fallback_endpoint_url, payload_schema, result_schema, tags,
    default_run_metadata, retry_delays_secs, poison_pill_threshold, max_concurrency, max_concurrency_per_key,
    rate_limit_max, rate_limit_window_secs, rate_limit_keys, run_ttl_secs, execution_window_cron, timezone,
    version, version_id, paused, created_at, updated_at, paused_at, pause_reason,
    endpoint_secret is not null as endpoint_secret_set, 'http' as execution_mode, created_by,
    updated_by
from jobs
where (id = :id::uuid or (slug = :slug and project_id = :project_id))
  and (:project_id::text is null or project_id = :project_id)
order by id = :id::uuid desc nulls last
limit 1;

-- name: list_jobs
-- Newest first, before a place in the list.
select id, project_id, name, slug, endpoint_url, max_attempts, timeout_secs, enabled, retry_strategy,
    retry_priority_boost, description, fallback_endpoint_url, payload_schema, result_schema, tags,
    default_run_metadata, retry_delays_secs, poison_pill_threshold, max_concurrency, max_concurrency_per_key,
    rate_limit_max, rate_limit_window_secs, rate_limit_keys, run_ttl_secs, execution_window_cron, timezone,
    version, version_id, paused, created_at, updated_at, paused_at, pause_reason,
    endpoint_secret is not null as endpoint_secret_set, 'http' as execution_mode, created_by,
    updated_by
from jobs
where project_id = :project_id
  and (created_at, id) < (:before_at, :before_id)
  and (:slug::text is null or slug = :slug)
  and (:enabled::boolean is null or enabled = :enabled)
  and (:tag_key::text is null or jsonb_exists(tags, :tag_key))
  and (:tag_value::text is null or tags ->> :tag_key = :tag_value)
order by created_at desc, id desc
limit :limit;

-- name: named
-- Those of the project's jobs that are named, by id or slug.
select id
from jobs
where project_id = :project_id
  and (id = any(:ids::uuid[]) or slug = any(:slugs::text[]))
order by id;

-- name: sealed_secret
-- The endpoint secret, sealed for this row and useless in any other.
select endpoint_secret
from jobs
where id = :id
  and project_id = :project_id;

-- name: job_limit
-- How many jobs the project may have, zero meaning any number. No row: no such project.
select coalesce(project_quotas.max_jobs, 0) as max_jobs
from projects
left join project_quotas on project_quotas.project_id = projects.id
where projects.id = :project_id
  and projects.deleted_at is null;

-- name: lock_count
-- Whoever creates a job where their number is limited waits for the others: what
-- is counted afterwards is then what stands (behaviour 9.2).
select pg_advisory_xact_lock(hashtextextended('jobs:' || :project_id::text, 0));

-- name: count
-- Every job of the project, disabled ones too.
select count(*)
from jobs
where project_id = :project_id;

-- name: insert
-- No row: another job of the project has the slug.
insert into jobs (
    id, project_id, name, slug, endpoint_url, endpoint_secret, max_attempts, timeout_secs, enabled,
    retry_strategy, retry_priority_boost, description, fallback_endpoint_url, payload_schema, result_schema,
    tags, default_run_metadata, retry_delays_secs, poison_pill_threshold, max_concurrency,
    max_concurrency_per_key, rate_limit_max, rate_limit_window_secs, rate_limit_keys, run_ttl_secs,
    execution_window_cron, timezone, version_id, created_by, updated_by)
values (
    :id, :project_id, :name, :slug, :endpoint_url, :endpoint_secret, :max_attempts, :timeout_secs, :enabled,
    :retry_strategy, :retry_priority_boost, :description, :fallback_endpoint_url, :payload_schema,
    :result_schema, :tags, :default_run_metadata, :retry_delays_secs, :poison_pill_threshold,
    :max_concurrency, :max_concurrency_per_key, :rate_limit_max, :rate_limit_window_secs, :rate_limit_keys,
    :run_ttl_secs, :execution_window_cron, :timezone, :version_id, :by, :by)
on conflict (project_id, slug) do nothing;

-- name: update
-- Write new terms over the version they were made from, as the next one. No row:
-- another change came first. The switch is no part of a version, and may have been
-- turned since: it is left alone.
update jobs
set name = :name,
    slug = :slug,
    endpoint_url = :endpoint_url,
    max_attempts = :max_attempts,
    timeout_secs = :timeout_secs,
    retry_strategy = :retry_strategy,
    retry_priority_boost = :retry_priority_boost,
    description = :description,
    fallback_endpoint_url = :fallback_endpoint_url,
    payload_schema = :payload_schema,
    result_schema = :result_schema,
    tags = :tags,
    default_run_metadata = :default_run_metadata,
    retry_delays_secs = :retry_delays_secs,
    poison_pill_threshold = :poison_pill_threshold,
    max_concurrency = :max_concurrency,
    max_concurrency_per_key = :max_concurrency_per_key,
    rate_limit_max = :rate_limit_max,
    rate_limit_window_secs = :rate_limit_window_secs,
    rate_limit_keys = :rate_limit_keys,
    run_ttl_secs = :run_ttl_secs,
    execution_window_cron = :execution_window_cron,
    timezone = :timezone,
    version = version + 1,
    version_id = :version_id,
    revision = revision + 1,
    updated_by = :by,
    updated_at = now()
where id = :id
  and project_id = :project_id
  and version = :version;

-- name: set_secret
-- Replace the endpoint secret within a change of the job; null takes it away.
update jobs
set endpoint_secret = :secret
where id = :id
  and project_id = :project_id;

-- name: switch
-- Enable or disable. No row: it is so already, or there is no such job.
update jobs
set enabled = :enabled,
    revision = revision + 1,
    updated_by = :by,
    updated_at = now()
where id = :id
  and project_id = :project_id
  and enabled <> :enabled;

-- name: pause
-- No row: it is paused already, or there is no such job.
update jobs
set paused = true,
    paused_at = now(),
    pause_reason = :reason,
    revision = revision + 1,
    updated_by = :by,
    updated_at = now()
where id = :id
  and project_id = :project_id
  and not paused;

-- name: resume
-- No row: it is not paused, or there is no such job.
update jobs
set paused = false,
    paused_at = null,
    pause_reason = null,
    revision = revision + 1,
    updated_by = :by,
    updated_at = now()
where id = :id
  and project_id = :project_id
  and paused;

-- name: announce
-- Every process drops its copies of the job when this commits.
select pg_notify('strait_changed', 'job:' || :id::uuid);

-- name: lock
-- No row: there is no such job.
select id
from jobs
where id = :id
  and project_id = :project_id
for update;

-- name: is_active
-- Whether a run of the job is under way. Such a run is at a gate, waits for its
-- time, is held by a worker or stands in the queue: those tables are small where
-- `runs` is large, and hold no history. A state that waits elsewhere belongs here
-- too. In the queue and in leases the status decides, read run by run: entries of
-- canceled runs stay until a claim meets them, and a lease outlives most of its runs.
select exists (select from blocked where job_id = :id)
    or exists (select from scheduled where job_id = :id)
    or exists (
        select
        from leases
        cross join lateral unnest(leases.run_ids) as held (run_id)
        where (select runs.status from runs where runs.id = held.run_id and runs.job_id = :id)
            in ('dequeued', 'executing'))
    or exists (
        select
        from queue
        where queue.job_id = :id
          and (select runs.status from runs where runs.id = queue.run_id) = 'queued');

-- name: delete
-- What hangs on the job and has no history of its own goes with it (T126).
delete from jobs
where id = :id
  and project_id = :project_id;
