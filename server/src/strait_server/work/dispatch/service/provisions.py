"""What a job's requests are made of: prepared once per definition, kept until it changes.

Targets are parsed and headers are put together when a definition is first
used; secrets are opened for as long as nobody announces a change, and for a
minute at most.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.database import Database
from strait_server.base.outbound import urls
from strait_server.tenancy.secrets import service as secrets
from strait_server.work.dispatch.model import RetryPolicy
from strait_server.work.dispatch.rules import headers
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import RetryStrategy

_CAPACITY: Final = 10_000
_SECRETS_SECONDS: Final = 60.0


class Provision(Struct, frozen=True):
    """A job ready to be sent: where, with which headers, under which policy.

    `endpoint` names the primary for circuits: its URL without the query.
    """

    definition: Definition
    target: urls.Target
    endpoint: str
    fallback: urls.Target | None
    fallback_endpoint: str
    headers: headers.Headers
    policy: RetryPolicy
    signing_secret: str | None


class Provisions:
    """The provisions of one worker, by job."""

    def __init__(self, database: Database, sealer: Sealer, policy: urls.EndpointPolicy) -> None:
        self._database = database
        self._sealer = sealer
        self._policy = policy
        self._kept: OrderedDict[UUID, Provision] = OrderedDict()
        self._secrets: dict[UUID, tuple[float, Mapping[str, str]]] = {}

    def of(self, definition: Definition) -> Provision:
        """Prepare a job.

        Raises `Invalid` when its URL is no longer allowed, and `SealBroken` for
        a signing secret whose key is gone.
        """
        kept = self._kept.get(definition.job.id)
        if kept is not None and kept.definition.job.revision == definition.job.revision:
            return kept
        provision = self._prepare(definition)
        self._kept[definition.job.id] = provision
        if len(self._kept) > _CAPACITY:
            self._kept.popitem(last=False)
        return provision

    async def secrets_of(self, definition: Definition) -> Mapping[str, str]:
        """Return the secrets of a job, opened (behaviour 3.7)."""
        kept = self._secrets.get(definition.job.id)
        if kept is not None and kept[0] > monotonic():
            return kept[1]
        async with self._database.connection() as db:
            opened = await secrets.for_job(
                db, self._sealer, definition.job.project_id, definition.job.id
            )
        if len(self._secrets) > _CAPACITY:
            self._secrets.clear()
        self._secrets[definition.job.id] = monotonic() + _SECRETS_SECONDS, opened
        return opened

    def kept_secrets(self, job_id: UUID) -> Mapping[str, str] | None:
        """Return the secrets of a job if they are at hand: the hot path need not wait."""
        kept = self._secrets.get(job_id)
        return kept[1] if kept is not None and kept[0] > monotonic() else None

    def forget_secrets(self, payload: str = "") -> None:
        """Learn that a secret changed."""
        if not payload or payload.startswith("secret:"):
            self._secrets.clear()

    def _prepare(self, definition: Definition) -> Provision:
        job = definition.job
        fallback_url = job.fallback_endpoint_url
        sealed = job.sealed_endpoint_secret
        return Provision(
            definition=definition,
            target=urls.parse(job.endpoint_url, self._policy, field="endpoint_url"),
            endpoint=job.endpoint_url.partition("?")[0],
            fallback=urls.parse(fallback_url, self._policy, field="fallback_endpoint_url")
            if fallback_url
            else None,
            fallback_endpoint=(fallback_url or "").partition("?")[0],
            headers=headers.of_job(job),
            policy=RetryPolicy(
                max_attempts=job.max_attempts,
                strategy=RetryStrategy(job.retry_strategy),
                delays=tuple(float(delay) for delay in job.retry_delays_secs or ()),
                poison_threshold=job.poison_pill_threshold or 0,
            ),
            signing_secret=self._sealer.open(
                sealed, table="jobs", row_id=job.id, column="endpoint_secret"
            )
            if sealed
            else None,
        )
