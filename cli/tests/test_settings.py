"""Where a setting comes from (cli 1.1 to 1.3, trap C1)."""

import pytest

from strait_cli.errors import ConfigError
from strait_cli.settings import File, Format, load, resolve

LOCAL = File(".strait.yaml", {"server": "http://local", "format": "yaml"}, local=True)
HOME = File("config.yaml", {"server": "http://home", "project": "proj_home"}, local=False)


def settle(flags=None, env=None, files=(), *, tty=False):
    return resolve(flags or {}, env or {}, files, stdin_tty=tty, stdout_tty=tty)


def test_without_anything_the_defaults_hold():
    settings = settle()

    assert (settings.server, settings.project) == ("http://localhost:8080", "")
    assert settings.timeout == 30


@pytest.mark.parametrize(
    ("flags", "env", "files", "server"),
    [
        ({"server": "http://flag"}, {"STRAIT_SERVER": "http://env"}, [LOCAL, HOME], "http://flag"),
        ({}, {"STRAIT_SERVER": "http://env"}, [LOCAL, HOME], "http://env"),
        ({}, {}, [LOCAL, HOME], "http://local"),
        ({}, {}, [HOME], "http://home"),
    ],
)
def test_the_stronger_source_wins(flags, env, files, server):
    assert settle(flags, env, files).server == server


def test_each_setting_is_settled_for_itself():
    settings = settle({}, {"STRAIT_API_KEY": "k"}, [LOCAL, HOME])

    assert (settings.server, settings.project, settings.api_key) == (
        "http://local",
        "proj_home",
        "k",
    )


def test_an_empty_variable_is_no_value():
    assert settle({}, {"STRAIT_PROJECT": ""}, [HOME]).project == "proj_home"


@pytest.mark.parametrize(("tty", "chosen"), [(True, Format.TABLE), (False, Format.JSON)])
def test_people_get_a_table_and_programs_json(tty, chosen):
    assert settle(tty=tty).format is chosen


@pytest.mark.parametrize("tty", [True, False])
def test_an_explicit_format_always_wins(tty):
    """Trap C6: a table is a table, also in a pipe."""
    assert settle({"format": Format.TABLE}, {"STRAIT_FORMAT": "json"}, tty=tty).format == "table"


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ConfigError, match="table, wide, json"):
        settle({}, {"STRAIT_FORMAT": "xml"})


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"CI": "true"}, {"STRAIT_CI": "true"}])
def test_colour_is_given_up_when_asked(env):
    assert settle(tty=True).color
    assert not settle({}, env, tty=True).color


@pytest.mark.parametrize(
    ("flags", "env"),
    [
        ({"ci": True}, {}),
        ({"non_interactive": True}, {}),
        ({}, {"STRAIT_NON_INTERACTIVE": "1"}),
        ({}, {"CI": "true"}),
    ],
)
def test_nobody_is_asked_when_nobody_answers(flags, env):
    assert settle(tty=True).interactive
    assert not settle(flags, env, tty=True).interactive


def test_a_repository_that_redirects_calls_is_said_aloud():
    [warning] = settle({}, {}, [LOCAL]).warnings

    assert "sets server" in warning


def test_a_key_in_a_file_is_warned_about_only_while_it_counts():
    file = File("config.yaml", {"api_key": "strait_x"}, local=False)

    assert any("in clear" in warning for warning in settle({}, {}, [file]).warnings)
    assert settle({}, {"STRAIT_API_KEY": "k"}, [file]).warnings == ()


def test_an_unknown_key_is_ignored_with_the_nearest_name():
    [warning] = settle({}, {}, [File("f", {"projct": "p"}, local=False)]).warnings

    assert "did you mean project?" in warning


def test_files_are_found_here_and_at_home(home, tmp_path):
    (home / ".config" / "strait").mkdir(parents=True)
    (home / ".config" / "strait" / "config.yaml").write_text("server: http://home\nproject: p\n")
    (tmp_path / "work" / ".strait.yaml").write_text("server: http://local\n")

    settings = load({})

    assert (settings.server, settings.project) == ("http://local", "p")


@pytest.mark.parametrize("text", ["- a\n- b\n", "server: [", "server: {a: b}\n"])
def test_a_file_that_cannot_be_read_is_an_error(home, tmp_path, text):
    (tmp_path / "work" / ".strait.yaml").write_text(text)

    with pytest.raises(ConfigError, match=r"strait\.yaml"):
        load({})


def test_an_empty_file_sets_nothing(home, tmp_path):
    (tmp_path / "work" / ".strait.yaml").write_text("")

    assert load({}).server == "http://localhost:8080"
