-- What job code may read of its run.

-- name: payload
select run_payloads.payload
from run_payloads
join runs on runs.id = run_payloads.run_id
where run_payloads.run_id = :run_id;
