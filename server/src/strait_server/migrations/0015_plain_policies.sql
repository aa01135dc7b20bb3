-- work/queue: payloads and events say whose they are, so that their policies ask no run (behaviour 13.10, ADR 0006)
-- migrate:up
--
-- Locks in the order of everybody who takes several: runs, payloads, events. What belongs to no run any more, as
-- events do that outlived the month of theirs, nobody can read: it goes.
lock table runs in access share mode;

alter table run_payloads add column project_id text;
update run_payloads set project_id = runs.project_id from runs where runs.id = run_payloads.run_id;
delete from run_payloads where project_id is null;
alter table run_payloads alter column project_id set not null;

alter table run_events add column project_id text;
update run_events set project_id = runs.project_id from runs where runs.id = run_events.run_id;
delete from run_events where project_id is null;
alter table run_events alter column project_id set not null;

drop policy of_new_run on run_payloads;
drop policy read_of_run on run_payloads;
drop policy changed_of_run on run_payloads;
drop policy deleted_of_run on run_payloads;
create policy of_project on run_payloads
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));

drop policy of_run on run_events;
create policy of_project on run_events
    using (project_id = nullif(current_setting('app.current_project_id', true), ''));
