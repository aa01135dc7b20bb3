-- The story of a run, as its code tells it. Changes of state are not told here:
-- the run row remembers them itself, in `moves`.

-- name: insert
-- Add events to runs that are open to reports. Returned are those that were added.
insert into run_events (id, run_id, project_id, type, level, message, data, attempt)
select e.id, runs.id, runs.project_id, e.type, e.level, e.message, e.data, runs.attempt
from unnest(
    :ids::uuid[], :run_ids::uuid[], :attempts::integer[], :types::text[], :levels::text[],
    :messages::text[], :data::json[]
) as e (id, run_id, attempt, type, level, message, data)
join runs on runs.id = e.run_id
where runs.status in ('dequeued', 'executing', 'waiting')
  and runs.attempt = coalesce(e.attempt, runs.attempt)
returning id, created_at;

-- name: trim
-- Keep the newest ten thousand events of a run. The oldest of them becomes the
-- marker that says so.
with edge as materialized (
    select id
    from run_events
    where run_id = :run_id
    order by id desc
    offset 9999
    limit 1
), dropped as (
    delete from run_events
    using edge
    where run_events.run_id = :run_id
      and run_events.id < edge.id
    returning run_events.id
), marked as (
    update run_events
    set type = 'log',
        level = 'warn',
        message = 'older events were dropped: a run keeps 10000',
        data = null
    from edge
    where run_events.id = edge.id
      and exists (select from dropped)
)
select count(*)::integer
from dropped;
