"""The walls that contracts cannot say (style.md 3, laws 6 to 9)."""

import ast
import importlib
import re
from pathlib import Path

import grimp
import pytest

import strait_server
from strait_server.base.db.queries import load_queries

SOURCE = Path(strait_server.__file__).parent
TESTS = Path(__file__).parent.parent
GROUND = {"app", "base", "migrations"}
ROOMS = sorted(
    file.parent for file in SOURCE.glob("*/*/__init__.py") if file.parts[-3] not in GROUND
)
OPEN_TO_OTHERS = {"service", "model"}
LONGEST = 400
STORES = sorted(
    ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
    for pattern in ("*/*/store.py", "*/*/store/*.py")
    for file in SOURCE.glob(pattern)
    if file.name != "__init__.py"
)


def test_a_room_is_entered_through_its_service_or_its_nouns():
    """Law 6."""
    graph = grimp.build_graph("strait_server")

    assert not [
        f"{importer} -> {imported}"
        for importer in sorted(graph.modules)
        if not importer.startswith("strait_server.app.")
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if _room(imported) not in {None, _room(importer)}
        if imported.split(".")[3] not in OPEN_TO_OTHERS
    ]


def _room(module):
    _, *path = module.split(".")
    return ".".join(path[:2]) if len(path) > 2 and path[0] not in GROUND else None


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_is_for_and_nothing_else(room):
    """Law 7."""
    [statement] = ast.parse((room / "__init__.py").read_text()).body

    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    assert statement.value.value.strip()


def test_no_file_outgrows_its_reader():
    """Law 8."""
    files = [
        file
        for folder in (SOURCE, TESTS)
        for kind in ("*.py", "*.sql")
        for file in sorted(folder.rglob(kind))
    ]

    # schema.sql is written by a program, and read by one.
    assert not [
        f"{file}: {lines}"
        for file in files
        if file.name != "schema.sql" and (lines := len(file.read_text().splitlines())) > LONGEST
    ]


@pytest.mark.parametrize("store", STORES)
def test_every_statement_of_a_store_is_used(store):
    """Law 9. A statement in several sizes is used by its name without the size."""
    source = Path(importlib.import_module(store).__file__).read_text()
    used = set(re.findall(r'SQL\[f?"(\w+?)_?(?:\{[^"]*)?"\]', source))

    unused = {
        name for name in load_queries(store) if name not in used and _family(name) not in used
    }

    assert unused == set()


def _family(name):
    return re.sub(r"_\d+$", "", name)


@pytest.mark.parametrize("store", STORES)
async def test_every_statement_of_a_store_is_valid(store, raw):
    """Law 9: against the schema that the migrations make."""
    for query in load_queries(store).values():
        await raw.prepare(query.text)


def test_every_file_of_statements_has_its_store():
    """Law 9: nothing lies about that nobody loads."""
    stores = {store.replace(".", "/") for store in STORES}
    lonely = [
        str(file.relative_to(SOURCE.parent))
        for file in sorted(SOURCE.glob("*/*/queries*/**/*.sql"))
        + sorted(SOURCE.glob("*/*/queries.sql"))
        if file.parts[-4] not in GROUND and _store_of(file) not in stores
    ]

    assert lonely == []


def _store_of(file):
    room = file.parent.parent if file.parent.name == "queries" else file.parent
    name = room / "store" / file.stem if file.parent.name == "queries" else room / "store"
    return str(name.relative_to(SOURCE.parent))
