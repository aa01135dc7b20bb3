-- Which runs a list shows. Ids only, the newest first; `reads.sql` has the rest.
--
-- Where a list starts decides how long it takes. Runs of most statuses are few
-- among millions, and no index on `runs` may know the status: every move would have
-- to write it. So a list by status starts from the small table that knows where such
-- runs are, and the status is tested again on the run: entries in `queue` outlive a
-- cancellation. Completed runs are many, so they are found by looking at all; and so
-- are queued ones at first, because when `queue` is long the newest runs are in it.

-- name: plan_by_values
-- A plan that knows no values takes every stretch for a two hundredth of the table, and
-- reads and sorts it all: with a million runs the newest would be found among all of
-- them. So until the transaction ends each statement is planned for the values it gets,
-- which costs less than a millisecond.
select set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: find
-- literal: start = 0 1 2 3
-- Runs that match, from a place on. They are looked for among all of the project (0),
-- those of a job (1), those of a batch (2), or :ids (3).
select runs.id
from runs
where runs.project_id = :project_id
  and (:start = 3 or runs.id < :before and runs.id >= :floor)
  and (:start <> 1 or runs.job_id = :job_id::uuid)
  and (:start <> 2 or runs.batch_id = :batch_id::uuid)
  and (:start <> 3 or runs.id = any(:ids::uuid[]))
  and (:job_id is null or runs.job_id = :job_id)
  and (:batch_id is null or runs.batch_id = :batch_id)
  and (:statuses::text[] is null or runs.status = any(:statuses))
  and (:triggered_by::text is null or runs.triggered_by = :triggered_by)
  and (:error_class::text is null or runs.error_class = :error_class)
  and (:tag_key::text is null or runs.tags ? :tag_key)
  and (:tag::jsonb is null or runs.tags @> :tag)
  and (:metadata_key::text is null or runs.metadata ? :metadata_key)
  and (:metadata::jsonb is null or runs.metadata @> :metadata)
  and (:created_after::timestamptz is null or runs.created_at >= :created_after)
  and (:created_before::timestamptz is null or runs.created_at < :created_before)
  and (:payload_contains::jsonb is null or exists (
      select
      from run_payloads
      where run_payloads.run_id = runs.id
        and run_payloads.payload::jsonb @> :payload_contains))
order by runs.id desc
limit 101;

-- name: edge
-- The run behind which two thousand newer ones stand in the project. None: there are
-- not so many.
select id
from runs
where project_id = :project_id
  and id < :before
  and id >= :floor
order by id desc
offset 1999
limit 1;

-- name: candidates
-- Where runs of certain statuses may be: the :most newest of them, from a place on.
-- Each table gives as many, so that the newest of all are among them.
select found.run_id
from (
    (
        select run_id
        from queue
        where :queued::boolean
          and project_id = :project_id
          and run_id < :before
          and run_id >= :floor
          and (:job_id::uuid is null or job_id = :job_id)
        order by run_id desc
        limit :most
    )
    union all
    (
        select run_id
        from scheduled
        where (:queued or :delayed::boolean)
          and project_id = :project_id
          and run_id < :before
          and run_id >= :floor
          and (:job_id is null or job_id = :job_id)
        order by run_id desc
        limit :most
    )
    union all
    (
        select run_id
        from blocked
        where :queued
          and project_id = :project_id
          and run_id < :before
          and run_id >= :floor
          and (:job_id is null or job_id = :job_id)
        order by run_id desc
        limit :most
    )
    union all
    (
        select held.run_id
        from leases
        cross join lateral unnest(leases.run_ids) as held (run_id)
        where :leased::boolean
          and held.run_id < :before
          and held.run_id >= :floor
        order by held.run_id desc
        limit :most
    )
    union all
    (
        select ended.run_id
        from unnest(:ended::text[]) as ends (status)
        cross join lateral (
            select unsuccessful_runs.run_id
            from unsuccessful_runs
            where unsuccessful_runs.project_id = :project_id
              and unsuccessful_runs.status = ends.status
              and unsuccessful_runs.run_id < :before
              and unsuccessful_runs.run_id >= :floor
            order by unsuccessful_runs.run_id desc
            limit :most
        ) as ended
        where :job_id is null
    )
    union all
    (
        select ended.run_id
        from unnest(:ended::text[]) as ends (status)
        cross join lateral (
            select unsuccessful_runs.run_id
            from unsuccessful_runs
            where unsuccessful_runs.job_id = :job_id
              and unsuccessful_runs.project_id = :project_id
              and unsuccessful_runs.status = ends.status
              and unsuccessful_runs.run_id < :before
              and unsuccessful_runs.run_id >= :floor
            order by unsuccessful_runs.run_id desc
            limit :most
        ) as ended
        where :job_id is not null
    )
) as found
order by found.run_id desc
limit :most;

-- name: children
-- Runs that a run brought about, the oldest first.
select id
from runs
where parent_run_id = :parent_id
  and project_id = :project_id
  and id > :after
order by id
limit 101;
