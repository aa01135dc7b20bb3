"""All routes of runs, in one router: Litestar cannot add a method to another router's path."""

from typing import Final

from litestar import Router

from strait_server.work.runs.routes import batches, changing, faces, reading

FACES: Final = faces.FACES
router = Router(
    "/",
    route_handlers=[
        *faces.HANDLERS,
        *reading.HANDLERS,
        *changing.HANDLERS,
        *batches.HANDLERS,
    ],
    tags=["runs"],
)
