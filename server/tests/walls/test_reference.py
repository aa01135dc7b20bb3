"""What is written down equals what the code knows (style 3, law 10)."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def _generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()
PAGES = GENERATE.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_generated_file_is_what_the_code_says(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "run `make docs`"


async def test_the_schema_snapshot_is_what_the_migrations_make(empty_dsn):
    assert GENERATE.SCHEMA.read_text(encoding="utf-8") == await GENERATE.schema(empty_dsn)
