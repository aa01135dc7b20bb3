"""HTTP face of projects (api 9.2, 9.28)."""

from typing import Annotated

from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from strait_server.base.http.guards import ACROSS_PROJECTS, requires
from strait_server.base.http.params import Db, FromPath, FromQuery, JSONBody
from strait_server.tenancy.access.model import Actor
from strait_server.tenancy.projects import service as projects
from strait_server.tenancy.projects.model import (
    ID,
    ChangeQuotas,
    Project,
    ProjectSettings,
    Quotas,
    Region,
    Timezone,
)


class CreateProject(Struct, frozen=True, kw_only=True):
    """Body of the request for a project."""

    id: Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": f"^{ID}$"})]
    org_id: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=2, max_length=255)]


class ChangeSettings(Struct, frozen=True, kw_only=True):
    """Body of the request to change settings; what is absent stays."""

    timezone: Timezone | None = None
    default_region: Region | None = None


@post("/", operation_id="createProject", guards=[requires("projects:manage")])
async def create_project(
    data: JSONBody[CreateProject], actor: NamedDependency[Actor], db: Db
) -> Project:
    """Create a project with an id of the caller's choosing.

    An id that exists is not an error: the project gets the new name and
    organization, and is back if it was deleted. API keys cannot do this (403).
    """
    return await projects.save(db, actor, data.id, org_id=data.org_id, name=data.name)


@get("/", operation_id="listProjects", guards=[requires("projects:read")])
async def list_projects(
    actor: NamedDependency[Actor], db: Db, org_id: FromQuery[str | None] = None
) -> list[Project]:
    """List projects: an API key sees its own, the internal secret those of an `org_id`."""
    return await projects.list_visible(db, actor, org_id=org_id)


@get("/{project_id:str}", operation_id="getProject", guards=[requires("projects:read")])
async def get_project(project_id: FromPath[str], actor: NamedDependency[Actor], db: Db) -> Project:
    """Get a project. One that is deleted, or not the caller's, answers 404."""
    actor.check_project(project_id)
    return await projects.get(db, project_id)


@delete("/{project_id:str}", operation_id="deleteProject", guards=[requires("projects:manage")])
async def delete_project(project_id: FromPath[str], actor: NamedDependency[Actor], db: Db) -> None:
    """Delete a project. Its API keys end at once, its pending runs are canceled."""
    actor.check_project(project_id)
    await projects.delete(db, project_id)


@get(
    "/{project_id:str}/settings",
    operation_id="getProjectSettings",
    guards=[requires("jobs:read")],
)
async def get_project_settings(
    project_id: FromPath[str], actor: NamedDependency[Actor], db: Db
) -> ProjectSettings:
    """Get the settings of a project."""
    actor.check_project(project_id)
    return await projects.get_settings(db, project_id)


@put(
    "/{project_id:str}/settings",
    operation_id="updateProjectSettings",
    guards=[requires("jobs:write")],
)
async def update_project_settings(
    project_id: FromPath[str],
    data: JSONBody[ChangeSettings],
    actor: NamedDependency[Actor],
    db: Db,
) -> ProjectSettings:
    """Change the settings that are given, and leave the others as they are.

    Days, as budgets count them, begin at midnight in `timezone`. The region is
    kept and told, and nothing more.
    """
    actor.check_project(project_id)
    return await projects.change_settings(
        db, project_id, timezone=data.timezone, default_region=data.default_region
    )


@get(
    "/{project_id:str}/quotas",
    operation_id="getProjectQuotas",
    guards=[requires("projects:read")],
)
async def get_project_quotas(
    project_id: FromPath[str], actor: NamedDependency[Actor], db: Db
) -> Quotas:
    """Get the quotas of a project. Zero means no limit."""
    actor.check_project(project_id)
    return await projects.get_quotas(db, project_id)


@put(
    "/{project_id:str}/quotas",
    operation_id="updateProjectQuotas",
    guards=[requires("projects:manage")],
)
async def update_project_quotas(
    project_id: FromPath[str],
    data: JSONBody[ChangeQuotas],
    actor: NamedDependency[Actor],
    db: Db,
) -> Quotas:
    """Change the quotas that are given, and leave the others as they are."""
    actor.check_project(project_id)
    return await projects.change_quotas(db, project_id, data)


router = Router(
    "/v1/projects",
    route_handlers=[
        create_project,
        list_projects,
        get_project,
        delete_project,
        get_project_settings,
        update_project_settings,
        get_project_quotas,
        update_project_quotas,
    ],
    tags=["projects"],
    opt=ACROSS_PROJECTS,
)
