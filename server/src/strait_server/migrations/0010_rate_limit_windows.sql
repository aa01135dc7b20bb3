-- work/intake: a slice of a rate limit knows when it leaves its window
-- migrate:up
-- Windows may be longer than a day, so its beginning does not tell when a slice
-- can be forgotten. Slices counted so far do not count any longer.
alter table rate_limit_buckets rename column bucket_at to leaves_at;
