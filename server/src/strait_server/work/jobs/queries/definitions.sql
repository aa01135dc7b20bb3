-- A job with all that its runs must know of it, read at once.
-- `metered` says that the project limits its queued or executing runs.

-- name: find
-- By id, or by slug within the project; the id wins.
select jobs.id, jobs.project_id, jobs.name, jobs.slug, jobs.endpoint_url, jobs.max_attempts,
    jobs.timeout_secs, jobs.version, jobs.version_id, jobs.enabled, jobs.paused, jobs.retry_strategy,
    jobs.retry_priority_boost, jobs.created_at, jobs.updated_at, jobs.description,
    jobs.fallback_endpoint_url, jobs.payload_schema, jobs.result_schema, jobs.tags,
    jobs.default_run_metadata, jobs.retry_delays_secs, jobs.poison_pill_threshold, jobs.max_concurrency,
    jobs.max_concurrency_per_key, jobs.rate_limit_max, jobs.rate_limit_window_secs, jobs.rate_limit_keys,
    jobs.run_ttl_secs, jobs.execution_window_cron, jobs.timezone, jobs.paused_at, jobs.pause_reason,
    jobs.endpoint_secret is not null as endpoint_secret_set, 'http' as execution_mode, jobs.created_by,
    jobs.updated_by,
    jobs.endpoint_secret as sealed_endpoint_secret, jobs.revision,
    projects.timezone as project_timezone,
    coalesce(q.max_queued_runs > 0 or q.max_executing_runs > 0, false) as metered
from jobs
join projects on projects.id = jobs.project_id and projects.deleted_at is null
left join project_quotas as q on q.project_id = jobs.project_id
where (jobs.id = :id::uuid or jobs.slug = :slug)
  and (:project_id::text is null or jobs.project_id = :project_id)
order by jobs.id = :id::uuid desc nulls last
limit 1;
