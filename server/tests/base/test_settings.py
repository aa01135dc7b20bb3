"""Settings: read, checked together, shown without secrets (behaviour 13.8, 17.1, 17.2; T123)."""

import base64
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.settings import (
    TABLE,
    DequeueStrategy,
    LogLevel,
    Mode,
    Settings,
    describe,
    warnings,
)
from strait_server.base.settings.sources import SettingsError, Source, find_file
from strait_server.base.settings.values import duration, key, show

REQUIRED = {"INTERNAL_SECRET": "hush-hush", "JWT_SIGNING_KEY": "j" * 32}
KEY = bytes(range(65, 97))


def load(file=None, **environ):
    return Settings.load({**REQUIRED, **environ}, file)


def problems(file=None, **environ):
    with pytest.raises(SettingsError) as refusal:
        load(file, **environ)
    return list(refusal.value.problems)


def line(settings, name):
    [found] = [line for line in describe(settings) if line.name == name]
    return found


def test_every_field_is_a_setting_with_a_valid_default():
    settings = load()

    assert set(TABLE) == set(Settings.__struct_fields__) - {"sources"}
    assert settings.worker_concurrency == 100
    assert settings.dequeue_strategy is DequeueStrategy.PRIORITY
    assert settings.priority_aging is True
    assert settings.executor_idle_conn_timeout == timedelta(seconds=90)
    assert settings.encryption_key is None
    assert settings.cors_allowed_origins == ("*",)
    assert settings.data_dir == Path(".strait")


def test_the_environment_wins_over_the_file_and_the_file_over_a_default():
    settings = Settings.load(
        {**REQUIRED, "PORT": "1"},
        b'port = 2\nhost = "h"\nmode = ""',
        defaults={"PORT": "3", "HOST": "i", "MODE": "api", "DATA_DIR": "d"},
    )

    assert (settings.port, settings.host) == (1, "h")
    assert (settings.mode, settings.data_dir) == (Mode.API, Path("d"))
    assert line(settings, "PORT").source is Source.ENVIRONMENT
    assert line(settings, "HOST").source is Source.FILE
    assert line(settings, "MODE").source is Source.DEFAULT


def test_an_empty_text_means_the_default():
    assert load(PORT="", LOG_LEVEL="  ").log_level is LogLevel.INFO


def test_the_file_speaks_toml():
    settings = load(
        b'priority_aging = false\nworker_partitions = ["a", "b"]\nport = 9\n'
        b'reaper_interval = "1m"\ncors_allowed_origins = "https://a.example, https://b.example"'
    )

    assert settings.priority_aging is False
    assert settings.worker_partitions == ("a", "b")
    assert settings.reaper_interval == timedelta(minutes=1)
    assert settings.cors_allowed_origins == ("https://a.example", "https://b.example")


def test_an_unknown_key_in_the_file_is_refused_and_the_nearest_suggested():
    assert problems(b"worker_concurency = 5\nPORT = 1\nzzzzzz = 1\n[table]\nport = 1") == [
        "worker_concurency (file): there is no such setting; did you mean worker_concurrency?",
        "PORT (file): there is no such setting; did you mean port?",
        "zzzzzz (file): there is no such setting",
        "table (file): there is no such setting",
    ]


@pytest.mark.parametrize("file", [b"port = ", b"\xff"])
def test_a_broken_file_is_one_of_the_findings(file):
    [first, second] = problems(file, PORT="x")

    assert first.startswith("the file cannot be read: ")
    assert second.startswith("PORT")


def test_a_value_that_is_no_value_is_refused():
    assert problems(b"port = {}") == ["port (file): write a text, a number, a boolean or a list"]


def test_an_entry_of_a_list_is_not_taken_for_two():
    """The project `a, b` is not the projects `a` and `b`."""
    assert problems(b'worker_partitions = ["a, b", "c"]') == [
        "worker_partitions (file): write entries without commas"
    ]


def test_all_findings_are_reported_together():
    """T123."""
    with pytest.raises(SettingsError) as refusal:
        Settings.load(
            {
                "JWT_SIGNING_KEY": "short-and-secret",
                "PORT": "eighty",
                "HEARTBEAT_INTERVAL": "10s",
                "DATABASE_URL": "mysql://root:hunter2@db/x",
            },
            b'mode = "both"',
        )

    assert sorted(refusal.value.problems) == [
        (
            "DATABASE_URL (environment): mysql://***@db/x will not do; "
            "write an address such as postgres://user:password@host:5432/database"
        ),
        "INTERNAL_SECRET is not set: Secret of trusted services, with access to everything",
        "JWT_SIGNING_KEY (environment): *** will not do; write at least 32 characters",
        "MODE (file): both will not do; write one of: all, api, worker",
        "PORT (environment): eighty will not do; write a whole number from 0 to 65535",
        "STALE_THRESHOLD must be at least three times HEARTBEAT_INTERVAL; they are 15s and 10s",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "8_0"),
        ("PORT", "9" * 5000),
        ("WORKER_CONCURRENCY", "0"),
        ("REAPER_INTERVAL", "0"),
        ("REAPER_INTERVAL", "0.1ns"),
        ("REAPER_INTERVAL", "30"),
        ("REAPER_INTERVAL", "-5s"),
        ("REAPER_INTERVAL", "9" * 400 + "h"),
        ("RUN_RETENTION_SHORT", "30d"),
        ("PRIORITY_AGING", "maybe"),
        ("DEQUEUE_STRATEGY", "random"),
        ("LOG_FORMAT", "xml"),
        ("MEMORY_PRESSURE_THRESHOLD_PCT", "101"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("ENCRYPTION_KEY", "too short"),
        ("ENCRYPTION_KEY", "k" * 64),
        ("ENCRYPTION_KEY_OLD", "k" * 32 + ",bad"),
        ("STRAIT_EDITION", "cloud"),
        ("DATABASE_URL", "postgres://db.example/x?sslmode=sometimes"),
    ],
)
def test_a_value_out_of_place_is_refused(name, text):
    [problem] = problems(**{name: text})

    assert problem.startswith(f"{name} (environment): ")


@pytest.mark.parametrize(
    ("environ", "fix"),
    [
        ({"ADAPTIVE_CONCURRENCY_MIN": "200"}, "ADAPTIVE_CONCURRENCY_MIN must not exceed"),
        ({"DB_MIN_CONNS": "60"}, "DB_MIN_CONNS must not exceed"),
        ({"CORS_ALLOW_CREDENTIALS": "true"}, "CORS_ALLOWED_ORIGINS must name"),
        ({"STALE_THRESHOLD": "14s"}, "STALE_THRESHOLD must be"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(environ, fix):
    [problem] = problems(**environ)

    assert problem.startswith(fix)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", timedelta(0)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h30m", timedelta(minutes=90)),
        ("720h", timedelta(days=30)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("1m0.25s", timedelta(seconds=60.25)),
        ("2us3µs", timedelta(microseconds=5)),
        ("1500ns", timedelta(microseconds=2)),
        ("0s", timedelta(0)),
    ],
)
def test_durations_are_written_as_in_go(text, length):
    assert duration(text) == length


@given(st.integers(0, 10**15))
def test_a_duration_is_shown_as_it_can_be_read(microseconds):
    length = timedelta(microseconds=microseconds)

    assert duration(show(length)) == length


def test_lists_weights_and_networks():
    settings = load(
        WORKER_PARTITIONS=" a, ,b ",
        WORKER_PARTITION_WEIGHTS="a:3,b:-1,c,d:x,:5",
        TRUSTED_PROXIES="10.0.0.1, fd00::/8",
    )

    assert settings.worker_partitions == ("a", "b")
    assert settings.worker_partition_weights == {"a": 3, "b": 1}
    assert settings.trusted_proxies == (ip_network("10.0.0.1/32"), ip_network("fd00::/8"))
    assert line(settings, "WORKER_PARTITION_WEIGHTS").value == "a:3,b:1"
    assert line(settings, "TRUSTED_PROXIES").value == "10.0.0.1/32,fd00::/8"


@pytest.mark.parametrize(
    "text",
    [
        KEY.decode(),
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(KEY).decode(),
    ],
)
def test_an_encryption_key_has_many_spellings(text):
    assert key(text) == KEY
    assert load(ENCRYPTION_KEY=text).encryption_key == KEY


@given(st.binary(min_size=32, max_size=32))
def test_any_32_bytes_can_be_a_key(material):
    assert key(base64.urlsafe_b64encode(material).decode()) == material
    assert key(base64.b64encode(material).decode()) == material
    assert key(material.hex()) == material


def test_two_names_of_one_key_mirror_each_other():
    assert load(SECRET_ENCRYPTION_KEY=KEY.hex()).encryption_key == KEY
    assert load(b'secret_encryption_key = "' + b"k" * 32 + b'"').encryption_key == b"k" * 32
    assert load(ENCRYPTION_KEY=KEY.hex(), SECRET_ENCRYPTION_KEY=KEY.hex()).encryption_key == KEY
    assert problems(ENCRYPTION_KEY=KEY.hex(), SECRET_ENCRYPTION_KEY="k" * 32) == [
        "ENCRYPTION_KEY and SECRET_ENCRYPTION_KEY (environment): set one, or both to the same"
    ]


def test_former_keys_are_a_list():
    old = load(ENCRYPTION_KEY_OLD=f"{KEY.hex()},{'k' * 32}").encryption_key_old

    assert old == (KEY, b"k" * 32)


def test_no_secret_is_shown():
    settings = load(
        ENCRYPTION_KEY=KEY.hex(),
        ENCRYPTION_KEY_OLD="k" * 32,
        DATABASE_URL="postgres://app:hunter2@db.example:5432/strait?sslmode=require&sslpassword=hunter3",
        OTEL_EXPORTER_OTLP_ENDPOINT="https://u:hunter4@otel.example",
    )

    shown = repr(settings) + "".join(map(str, describe(settings)))

    for secret in ("hush-hush", "jjjj", KEY.decode(), KEY.hex(), "kkkk", "hunter"):
        assert secret not in shown
    assert line(settings, "DATABASE_URL").value == (
        "postgres://***@db.example:5432/strait?sslmode=require&sslpassword=***"
    )
    assert line(settings, "INTERNAL_SECRET").value == "***"


def test_no_secret_is_in_a_finding():
    found = problems(
        ENCRYPTION_KEY="hunter2", JWT_SIGNING_KEY="hunter2", DATABASE_URL="app:hunter2@db/x"
    )

    assert len(found) == 3
    assert "hunter2" not in "".join(found)


def test_every_setting_is_explained_and_shown_as_it_is_written():
    for field, shown in zip(TABLE, describe(load()), strict=True):
        assert shown.help == TABLE[field].help != ""
        if field.upper() not in REQUIRED:
            assert TABLE[field].read(shown.value) == TABLE[field].read(TABLE[field].default)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://localhost/x?sslmode=disable",
        "postgresql://u:p@127.0.0.1:5433/x?sslmode=disable",
        "postgres:///x?host=/var/run/postgresql&sslmode=disable",
    ],
)
def test_a_database_on_this_machine_may_do_without_tls_but_it_is_said(url):
    assert warnings(load(DATABASE_URL=url)) == [
        "DATABASE_URL: sslmode=disable is for development only"
    ]


def test_a_database_elsewhere_may_not_do_without_tls():
    [problem] = problems(DATABASE_URL="postgres://db.example/x?sslmode=disable")

    assert "sslmode=require" in problem
    assert warnings(load(DATABASE_URL="postgres://db.example/x")) == []


def test_a_default_for_no_setting_is_a_mistake_of_ours():
    with pytest.raises(KeyError, match="PORTT"):
        Settings.load(REQUIRED, defaults={"PORTT": "1"})


def test_the_file_is_the_one_named_or_the_one_at_hand(tmp_path):
    named, at_hand = tmp_path / "other.toml", tmp_path / "strait.toml"
    named.touch()

    assert find_file({}, tmp_path) is None
    at_hand.touch()
    assert find_file({}, tmp_path) == at_hand
    assert find_file({"STRAIT_CONFIG": "other.toml"}, tmp_path) == named
    assert find_file({"STRAIT_CONFIG": str(named)}, tmp_path) == named
    with pytest.raises(SettingsError, match=r"no file 'none\.toml'"):
        find_file({"STRAIT_CONFIG": "none.toml"}, tmp_path)
