"""When this happens, do that: the whole list.

Facts are written by the rooms below in the transaction of the change. The
relay reads them in order and calls each reaction at least once, so a reaction
must be safe to repeat.
"""

from typing import Final

from strait_server.base.outbox import Reactions
from strait_server.tenancy.access import reactions as access
from strait_server.tenancy.projects.model import ProjectDeleted
from strait_server.work.queue import reactions as queue

REACTIONS: Final[Reactions] = {
    ProjectDeleted: [access.revoke_keys, queue.cancel_runs_of_project],
}
