"""Completion for four shells (cli 8.1)."""

import pytest

from strait_cli.completion import SCRIPTS, Shell, candidates
from strait_cli.main import main


def offered(line):
    """Answer what may stand at the end of a line typed so far."""
    *words, current = line.split(" ")
    return [candidate.value for candidate in candidates(words, current)]


def test_the_first_word_is_a_command():
    assert offered("st") == ["stats"]


def test_aliases_are_understood_and_not_offered():
    assert "api-keys" not in offered("")
    assert offered("api-keys ro") == ["rotate"]


def test_the_second_word_is_a_command_of_the_group():
    assert offered("jobs pa") == ["pause"]


def test_options_are_the_commands_own_and_the_global_ones():
    assert offered("jobs list --") == [
        *("--tag", "--limit", "--server", "--api-key", "--project", "--format"),
        *("--no-headers", "--no-color", "--quiet", "--verbose", "--timeout", "--ci"),
        *("--non-interactive", "--debug", "--help"),
    ]


@pytest.mark.parametrize("line", ["-o js", "jobs -o js", "jobs list --format js"])
def test_the_value_of_an_option_is_one_of_its_choices(line):
    assert offered(line) == ["json", "jsonl"]


def test_a_value_may_be_joined_by_an_equals_sign():
    assert offered("jobs list --format=js") == ["--format=json", "--format=jsonl"]
    # bash splits the same at the equals sign.
    assert offered("jobs list --format = js") == ["json", "jsonl"]
    assert offered("jobs list --format =")[:2] == ["table", "wide"]


def test_what_an_option_took_is_not_a_command():
    assert offered("--project jobs runs w") == ["watch"]


def test_an_argument_is_one_of_its_choices():
    assert offered("completion ") == [shell.value for shell in Shell]
    assert offered("completion bash ") == []


@pytest.mark.parametrize("line", ["jobs get ", "nonsense ", "jobs list --tag ", "jobs nonsense "])
def test_where_nothing_is_known_the_shell_may_offer_files(line):
    assert offered(line) == []


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "pause"),
        ("zsh", "pause:Stop starting runs of a job; queued runs stay queued."),
        ("fish", "pause\tStop starting runs of a job; queued runs stay queued."),
        ("powershell", "pause\tStop starting runs of a job; queued runs stay queued."),
    ],
)
def test_each_shell_gets_its_own_form(home, monkeypatch, capsys, shell, line):
    monkeypatch.setenv("_STRAIT_COMPLETE", shell)
    monkeypatch.setenv("_STRAIT_WORD", "pa")

    assert main(["jobs"]) == 0

    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize("shell", Shell)
def test_every_shell_has_a_script_that_asks_us(strait, shell):
    ended = strait("completion", shell)

    assert ended.code == 0
    assert ended.out.rstrip("\n") == SCRIPTS[shell].rstrip("\n")
    assert "_STRAIT_COMPLETE" in ended.out
    assert "_STRAIT_WORD" in ended.out


def test_an_unknown_shell_is_refused_with_the_known_ones(strait):
    ended = strait("completion", "tcsh")

    assert ended.code == 3
    assert "powershell" in ended.json["error"]
