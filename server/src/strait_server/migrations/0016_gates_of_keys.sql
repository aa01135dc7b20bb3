-- work/queue: no two keys of any projects share a gate
-- migrate:up
--
-- `key:<project id>:<key>` was the gate of project `a` with key `b:c`, and of project `a:b` with key `c`. With the
-- length of the id in front, in characters, the name says where the id ends.
create function key_gate(project_id text, key text) returns text
language sql immutable strict as $$
    select 'key:' || length(project_id)::text || ':' || project_id || ':' || key
$$;

-- A row says whose it is, and so where its key begins: after `key:`, the id and a colon.
create function pg_temp.renamed(gate text, project_id text) returns text
language sql immutable as $$
    select case when starts_with(gate, 'key:' || project_id || ':')
        then key_gate(project_id, substr(gate, length(project_id) + 6)) else gate end
$$;
update slots set gate = pg_temp.renamed(gate, project_id);
update blocked
set gate = pg_temp.renamed(gate, project_id),
    next_gate = pg_temp.renamed(next_gate, project_id);
update scheduled
set gate = pg_temp.renamed(gate, project_id),
    next_gate = pg_temp.renamed(next_gate, project_id)
where gate is not null;
drop function pg_temp.renamed;
