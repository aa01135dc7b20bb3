-- What must be true of the tables of runs (behaviour 1.2, 2.2 and Appendix C).
--
-- A rule is a sentence and the statement that finds what breaks it, one text per
-- row. `places` are the rules about where runs stand, `always` all others that hold
-- in every snapshot, also in the middle of a crash; `rest` those that hold once
-- nothing is under way. The auditor fills two tables from the product's own state
-- machine: `statuses` (ordinal, name, final, terminal) and `ways` (source, target).

-- places: a waiting run is in exactly one place
with places as (
    select run_id, 'queue' as place from queue
    union all
    select run_id, 'scheduled' from scheduled
    union all
    select run_id, 'blocked' from blocked
)
select runs.id || ' is ' || runs.status || ' and in: ' || coalesce(string_agg(place, ', '), 'no place')
from runs
left join places on places.run_id = runs.id
where runs.status in ('delayed', 'queued')
group by runs.id, runs.status
having count(place) <> 1
    or (runs.status = 'delayed' and min(place) <> 'scheduled');

-- places: only waiting runs are in a place
-- A canceled run leaves its entry in the queue to the next claim.
with places as (
    select run_id, 'queue' as place from queue
    union all
    select run_id, 'scheduled' from scheduled
    union all
    select run_id, 'blocked' from blocked
)
select places.run_id || ' is ' || coalesce(runs.status, 'not there') || ' and in: ' || place
from places
left join runs on runs.id = places.run_id
where coalesce(runs.status, '') not in ('delayed', 'queued')
  and not (runs.status is not distinct from 'canceled' and place = 'queue');

-- places: a run in a worker's hands is named by its lease
select runs.id || ' is ' || runs.status || ', lease ' || coalesce(runs.lease_id::text, 'none')
from runs
where runs.status in ('dequeued', 'executing')
  and not exists (
      select from leases where leases.id = runs.lease_id and runs.id = any(leases.run_ids));

-- places: a run in nobody's hands has no lease
select id || ' is ' || status || ' and has lease ' || lease_id
from runs
where status not in ('dequeued', 'executing', 'waiting')
  and lease_id is not null;

-- places: a lease belongs to a worker that is known
select 'lease ' || leases.id || ' of ' || leases.worker_id
from leases
left join workers on workers.id = leases.worker_id
where workers.id is null;

-- places: who holds a place at a gate is active, or waits at the next gate
select slots.run_id || ' holds ' || slots.gate || ' and is ' || coalesce(runs.status, 'not there')
from slots
left join runs on runs.id = slots.run_id
where coalesce(runs.status, '') not in ('dequeued', 'executing', 'waiting')
  and not (runs.status is not distinct from 'queued' and exists (
      select from queue where queue.run_id = slots.run_id
      union all
      select from blocked where blocked.run_id = slots.run_id and blocked.gate <> slots.gate));

-- places: no more runs are past a gate than it has places
select slots.gate || ': ' || count(*) || ' of ' || min(gate.places)
from slots
join runs on runs.id = slots.run_id
join jobs on jobs.id = runs.job_id
cross join lateral (
    select case when slots.gate like 'job:%' then jobs.max_concurrency else jobs.max_concurrency_per_key end
) as gate (places)
group by slots.gate
having min(gate.places) > 0
   and count(*) > min(gate.places);

-- always: every move is one of the table, and the last one is where the run stands
with steps as (
    select runs.id, runs.status, m.n, cardinality(runs.moves) as count, statuses.name as target,
        lag(statuses.name) over (partition by runs.id order by m.n) as source
    from runs
    cross join lateral unnest(runs.moves) with ordinality as m (move, n)
    join statuses on statuses.ordinal = m.move & 15
)
select id || ' went from ' || coalesce(source, 'nothing') || ' to ' || target || ' and is ' || status
from steps
where (n = 1 and target not in ('delayed', 'queued', 'waiting'))
   or (n > 1 and not exists (select from ways where ways.source = steps.source and ways.target = steps.target))
   or (n = count and target <> status)
union all
select id || ' never moved'
from runs
where cardinality(moves) = 0;

-- always: no run ends twice
select runs.id || ' ended ' || count(*) || ' times'
from runs
cross join lateral unnest(runs.moves) as move
join statuses on statuses.ordinal = move & 15 and statuses.terminal
group by runs.id
having count(*) > 1;

-- always: moves do not go back in time
-- A claim carries the time its transaction began, which may be before that of an
-- enqueue it sees: milliseconds. A clock that is wrong is wrong by more.
select id || ' by ' || earlier - later || ' us'
from (
    select runs.id, m.move >> 4 as later, lag(m.move >> 4) over (partition by runs.id order by m.n) as earlier
    from runs
    cross join lateral unnest(runs.moves) with ordinality as m (move, n)
) as times
where earlier - later > 1000000;

-- always: a run has finished exactly when it is final, and not before it started
select runs.id || ' is ' || status || ', ' || coalesce(started_at::text, '') || ' to '
    || coalesce(finished_at::text, '')
from runs
join statuses on statuses.name = runs.status
where (finished_at is not null) <> statuses.final
   or started_at > finished_at;

-- always: no run has more attempts than its job allows
select runs.id || ': ' || attempt || ' of ' || max_attempts
from runs
join jobs on jobs.id = runs.job_id
where attempt > max_attempts;

-- always: the list of unsuccessful runs is complete and correct
with unsuccessful as (
    select runs.id, runs.status
    from runs
    join statuses on statuses.name = runs.status and statuses.final
    where runs.status <> 'completed'
)
select coalesce(u.id, listed.run_id) || ' is ' || coalesce(u.status, 'none of them') || ', listed as '
    || coalesce(listed.status, 'nothing')
from unsuccessful as u
full join unsuccessful_runs as listed on listed.run_id = u.id
where u.status is distinct from listed.status;

-- always: every run has a payload, and every payload a run
select coalesce(runs.id, run_payloads.run_id)::text
from runs
full join run_payloads on run_payloads.run_id = runs.id
where runs.id is null
   or run_payloads.run_id is null;

-- always: payloads and events name the project of their run
select 'payload of ' || runs.id || ': ' || run_payloads.project_id
from runs
join run_payloads on run_payloads.run_id = runs.id
where run_payloads.project_id <> runs.project_id
union all
select 'event of ' || runs.id || ': ' || run_events.project_id
from runs
join run_events on run_events.run_id = runs.id
where run_events.project_id <> runs.project_id;

-- always: an idempotency key stands for one run, and that run has it
select k.key || ' stands for ' || k.run_id
from idempotency_keys as k
left join runs on runs.id = k.run_id and runs.job_id = k.job_id and runs.idempotency_key = k.key
where runs.id is null
union all
select idempotency_key || ' is the key of ' || count(*) || ' runs'
from runs
where idempotency_key is not null
group by job_id, idempotency_key
having count(*) > 1;

-- always: a bulk trigger made all of its runs, or none
select b.id || ': ' || count(runs.id) || ' of ' || b.created_count
from batch_operations as b
left join runs on runs.batch_id = b.id
group by b.id
having count(runs.id) <> b.created_count
union all
select 'no batch ' || runs.batch_id
from runs
left join batch_operations as b on b.id = runs.batch_id
where runs.batch_id is not null
  and b.id is null;

-- always: no row is outside the months
select 'run ' || id from runs_default
union all
select 'payload ' || run_id from run_payloads_default
union all
select 'event ' || id from run_events_default;

-- rest: every run has come to its end
select runs.id || ' is ' || status || ', attempt ' || attempt || ', since ' || runs.updated_at
    || coalesce(', lease ' || lease_id, '') || coalesce(', ' || error, '')
from runs
join statuses on statuses.name = runs.status
where not statuses.final;

-- rest: nothing is left behind
select 'queue: ' || run_id from queue
union all
select 'scheduled: ' || run_id || ' until ' || due_at from scheduled
union all
select 'blocked: ' || run_id || ' at ' || gate from blocked
union all
select 'lease ' || id || ' of ' || worker_id from leases
union all
select 'place at ' || gate || ': ' || run_id from slots;
