"""What can come in: the whole list. Each room has one line.

`FACES` are those of its routes that the express lane answers too.
"""

from typing import Final

from strait_server.base.http import health, scrape
from strait_server.tenancy.access import routes as access
from strait_server.tenancy.projects import routes as projects
from strait_server.tenancy.secrets import routes as secrets
from strait_server.work.intake import routes as intake
from strait_server.work.jobs import routes as jobs
from strait_server.work.runs.routes import router as runs
from strait_server.work.sdk import routes as sdk

ROUTERS: Final = (
    health.router,
    scrape.router,
    projects.router,
    access.router,
    secrets.router,
    jobs.router,
    intake.router,
    runs.router,
    sdk.router,
)

FACES: Final = (*intake.FACES, *runs.FACES, *sdk.FACES)
