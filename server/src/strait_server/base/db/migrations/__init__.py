"""How the schema moves: forward, one numbered SQL file after the other, each exactly once.

A file is applied in one transaction together with its row in
`schema_migrations`, so that the two never disagree. A file marked
`transaction:false` (for `create index concurrently`) cannot have that: its row
is written first as dirty and cleaned last, and a dirty row stops everybody
until a person has looked.

Servers that start together wait for the advisory lock by polling it. One that
blocked on it would hold a snapshot, for which `create index concurrently` in
the server that has the lock would wait in turn.
"""
