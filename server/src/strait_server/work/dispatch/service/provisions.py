"""What a job's requests are made of: prepared once per definition, kept until it changes.

Targets are parsed and headers are put together when a definition is first
used; opened secrets are kept for as long as nobody announces a change, and for
a few seconds at most (T127).
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.database import Database
from strait_server.base.outbound import urls
from strait_server.base.outbound.message import Lines, lines
from strait_server.base.single_flight import SingleFlight
from strait_server.tenancy.secrets import service as secrets
from strait_server.work.dispatch.model import RetryPolicy
from strait_server.work.dispatch.rules import headers
from strait_server.work.dispatch.service import verdicts
from strait_server.work.jobs.service.definitions import Definition

_CAPACITY: Final = 10_000
_SECRETS_SECONDS: Final = 5.0
LONGEST_NAME: Final = 1000  # PostgreSQL neither indexes nor announces texts of any length


class Provision(Struct, frozen=True):
    """A job ready to be sent: where, with which headers, under which policy.

    `endpoint` names the primary for circuits: its URL in one spelling, without the query;
    of a very long one the beginning, and a hash of the whole.
    """

    definition: Definition
    target: urls.Target
    endpoint: str
    fallback: urls.Target | None
    fallback_endpoint: str
    headers: Lines
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
        self._readings: SingleFlight[UUID, Mapping[str, str]] = SingleFlight()
        self._changes = 0

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
        """Return the secrets of a job, opened (behaviour 3.7).

        Raises `SealBroken` when one does not open, `Unavailable` without the
        database. Runs that need the same ones at once share one reading.
        """
        return await self._readings.do(definition.job.id, partial(self._open, definition))

    def kept_secrets(self, job_id: UUID) -> Mapping[str, str] | None:
        """Return the secrets of a job if they are at hand: the hot path need not wait."""
        kept = self._secrets.get(job_id)
        return kept[1] if kept is not None and kept[0] > monotonic() else None

    def forget_secrets(self, payload: str = "") -> None:
        """Learn that a secret changed."""
        if not payload or payload.startswith("secret:"):
            self._changes += 1
            self._secrets.clear()
            self._readings.forget()

    async def _open(self, definition: Definition) -> Mapping[str, str]:
        """Read and keep them, unless a change was announced meanwhile."""
        job, changes = definition.job, self._changes
        async with self._database.connection() as db:
            opened = await secrets.for_job(db, self._sealer, job.project_id, job.id)
        if changes == self._changes:
            if len(self._secrets) > _CAPACITY:
                self._secrets.clear()
            self._secrets[job.id] = monotonic() + _SECRETS_SECONDS, opened
        return opened

    def _prepare(self, definition: Definition) -> Provision:
        job = definition.job
        target = urls.parse(job.endpoint_url, self._policy, field="endpoint_url")
        fallback = (
            urls.parse(job.fallback_endpoint_url, self._policy, field="fallback_endpoint_url")
            if job.fallback_endpoint_url
            else None
        )
        sealed = job.sealed_endpoint_secret
        return Provision(
            definition=definition,
            target=target,
            endpoint=_name(target),
            fallback=fallback,
            fallback_endpoint=_name(fallback) if fallback else "",
            headers=lines(headers.of_job(job)),
            policy=verdicts.policy_of(job),
            signing_secret=self._sealer.open(
                sealed, table="jobs", row_id=job.id, column="endpoint_secret"
            )
            if sealed
            else None,
        )


def _name(target: urls.Target) -> str:
    path = target.head.split(b" ", 2)[1].partition(b"?")[0].decode()
    name = f"{target.origin.scheme}://{target.origin}{path}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = f"#{sha256(name.encode()).hexdigest()}"  # no other name has a `#`
    return name[: LONGEST_NAME - len(digest)] + digest
