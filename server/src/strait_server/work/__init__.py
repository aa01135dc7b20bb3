"""One run of one job: defined, triggered, queued, dispatched, looked at."""
