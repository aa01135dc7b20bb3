-- work/queue: a project's entries are found, however many there are of others
-- migrate:up transaction:false
-- A build that broke off leaves an index that serves nobody: begin anew.
drop index concurrently if exists queue_by_project;
create index concurrently queue_by_project on queue (project_id, run_id);
drop index concurrently if exists queue_metered;
