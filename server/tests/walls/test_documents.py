"""What the documents that people write name is there (style 13)."""

import re
from pathlib import Path

import pytest
from strait_cli import tree

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "server" / "src" / "strait_server"
TESTS = ROOT / "server" / "tests"
DOCUMENTS = {
    str(page.relative_to(ROOT)): text
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
    if not (text := page.read_text(encoding="utf-8")).startswith("<!-- generated")
}
COMMANDS = {name for name, _ in tree.leaves()}
# `work/queue/loops.py: move_due`, `base/outbound/`; what starts with a dot is made later.
_PATH = re.compile(r"`(\w[\w./-]*(?:\.(?:py|sql|md|toml|json)|/))(?:: (\w+))?`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
_VERB = re.compile(r"(?:^|`|\$ )make ([a-z]+)\b", re.MULTILINE)
_COMMAND = re.compile(r"(?:^\$ |\$\(|&& |`)(strait(?: [a-z-]+)+)", re.MULTILINE)


def documents(pattern):
    """Every mention of something, with where it stands."""
    return [(name, found) for name, text in DOCUMENTS.items() for found in pattern.findall(text)]


def test_every_path_exists():
    """From the root, from `server/`, or from a folder that the sentence has just named."""
    mentioned = documents(_PATH)

    assert len(mentioned) > 30
    assert [(name, found) for name, found in mentioned if not _is_there(*found)] == []


def _is_there(path, function):
    places = [ROOT / path, ROOT / "server" / path, *SOURCE.rglob(path), *TESTS.rglob(path)]
    found = [place for place in places if place.exists()]
    if not function:
        return bool(found)
    return any(f"def {function}(" in place.read_text(encoding="utf-8") for place in found)


def test_every_link_leads_somewhere():
    broken = [
        (name, target)
        for name, target in documents(_LINK)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]

    assert broken == []


def test_every_verb_is_one_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    assert {verb for _, verb in documents(_VERB)} <= verbs


@pytest.mark.parametrize("words", sorted({words for _, words in documents(_COMMAND)}))
def test_every_command_is_one_of_the_tree(words):
    assert any(words == name or words.startswith(f"{name} ") for name in COMMANDS)
