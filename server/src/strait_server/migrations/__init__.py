"""The schema, one forward step per file. `schema.sql` is their result."""
