"""The walls of the command tree (cli 1.1, 9, 13; traps C17 and C20)."""

import shlex
from collections import Counter
from pathlib import Path

import pytest
from typer.core import TyperGroup, TyperOption

import strait_cli
from strait_cli.tree import ENTRIES, Deferred, leaves, root

SOURCE = Path(strait_cli.__file__).parent
LEAVES = dict(leaves())


def examples(command):
    """Answer the command lines of a help text; of a pipe, its last part."""
    lines = [line.strip() for line in (command.help or "").splitlines()]
    return [line.rpartition("| ")[2].removeprefix("$ ") for line in lines if line.startswith("$ ")]


def parse(words):
    """Parse a whole command line without running it; answer the command it names."""
    ctx = root().make_context("strait", words, obj={})
    with ctx:
        while isinstance(ctx.command, TyperGroup):
            name, command, rest = ctx.command.resolve_command(
                ctx, [*ctx._protected_args, *ctx.args]
            )
            ctx = command.make_context(name, rest, parent=ctx)
        return ctx.command_path


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_says_what_it_does_and_shows_it(name):
    command = LEAVES[name]

    assert (command.help or "").partition("\n")[0].endswith(".")
    assert any(f"{example} ".startswith(f"{name} ") for example in examples(command))


@pytest.mark.parametrize(
    "example", [example for command in LEAVES.values() for example in examples(command)]
)
def test_every_documented_example_is_accepted(example):
    """Trap C17."""
    _, *words = shlex.split(example)

    assert example.startswith(parse(words))


@pytest.mark.parametrize("name", LEAVES)
def test_no_option_reuses_the_name_of_another(name):
    """Trap C20: the global options are part of every command."""
    names = Counter(
        opt for option in LEAVES[name].params for opt in (*option.opts, *option.secondary_opts)
    )

    assert [opt for opt, count in names.items() if count > 1] == []
    assert {"--server", "--format", "-o", "-q", "-v"} <= names.keys()


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_says_what_it_is_for(name):
    for option in LEAVES[name].params:
        if isinstance(option, TyperOption):
            assert option.help, option.name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_list_and_the_command_say_the_same(entry):
    command = Deferred(entry).become()

    assert (command.help or "").partition("\n")[0] == entry.help


def test_the_help_screen_has_the_categories_in_order():
    panels = list(dict.fromkeys(entry.panel for entry in ENTRIES))

    assert panels == ["Start", "Define", "Operate", "Observe", "Govern", "Server"]


def test_the_number_of_commands_is_counted_not_written(strait):
    assert strait("version").json["commands"] == len(LEAVES)


def test_a_group_alone_shows_its_help(strait):
    ended = strait("jobs")

    assert ended.code == 0
    assert "pause" in ended.out


@pytest.mark.parametrize(
    ("args", "path"),
    [
        (("jobs", "create", "--nonsense"), "strait jobs create --help"),
        (("jobs", "nonsense"), "strait jobs --help"),
        (("nonsense",), "strait --help"),
        (("runs", "get"), "strait runs get --help"),
    ],
)
def test_a_mistake_on_the_line_is_3_and_points_to_the_help(strait, args, path):
    ended = strait(*args)

    assert (ended.code, ended.json["code"]) == (3, "config_error")
    assert ended.json["suggestion"] == path


def test_a_misspelt_command_is_answered_with_the_nearest(strait):
    assert "'jobs'" in strait("jbos").json["error"]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.name)
def test_no_file_outgrows_its_reader(path):
    assert len(path.read_text().splitlines()) <= 400
