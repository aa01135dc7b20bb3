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
update slots
set gate = key_gate(project_id, substr(gate, length(project_id) + 6))
where starts_with(gate, 'key:' || project_id || ':');
update blocked
set gate = key_gate(project_id, substr(gate, length(project_id) + 6))
where starts_with(gate, 'key:' || project_id || ':');
update blocked
set next_gate = key_gate(project_id, substr(next_gate, length(project_id) + 6))
where starts_with(next_gate, 'key:' || project_id || ':');
update scheduled
set gate = key_gate(project_id, substr(gate, length(project_id) + 6))
where starts_with(gate, 'key:' || project_id || ':');
update scheduled
set next_gate = key_gate(project_id, substr(next_gate, length(project_id) + 6))
where starts_with(next_gate, 'key:' || project_id || ':');
