"""Log lines (behaviour 15.3)."""

import io
import json
import logging

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from strait_server.base.settings import LogFormat, LogLevel
from strait_server.base.telemetry import logs

KEY = "strait_" + "0a" * 32


@pytest.fixture
def written():
    """Yield the output, and leave the loggers of the process as they were."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield io.BytesIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def lines(written):
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_an_object_with_time_level_and_message_first(written):
    logs.configure(LogLevel.INFO, LogFormat.JSON, file=written)

    structlog.get_logger("strait_server.work").warning("run moved", run_id="r1", attempt=2)

    [line] = lines(written)
    assert list(line) == ["time", "level", "msg", "logger", "run_id", "attempt"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["msg"], line["attempt"]) == ("warn", "run moved", 2)
    assert line["logger"] == "strait_server.work"


def test_bound_ids_stand_in_every_line_said_inside(written):
    logs.configure(LogLevel.INFO, LogFormat.JSON, file=written)

    with bound_contextvars(request_id="q1", job_id="j1"):
        structlog.get_logger().info("inside", run_id="r1")
        logging.getLogger("library").info("inside too")
    structlog.get_logger().info("outside")

    inside, library, outside = lines(written)
    assert (inside["request_id"], inside["job_id"], inside["run_id"]) == ("q1", "j1", "r1")
    assert library["request_id"] == "q1"
    assert "request_id" not in outside


def test_lines_below_the_level_are_not_written(written):
    logs.configure(LogLevel.WARN, LogFormat.JSON, file=written)

    structlog.get_logger().info("quiet")
    logging.getLogger("asyncio").info("quiet")
    structlog.get_logger().error("loud")
    logging.getLogger("asyncio").warning("loud")

    assert [(line["level"], line["msg"]) for line in lines(written)] == [
        ("error", "loud"),
        ("warn", "loud"),
    ]


def test_a_logger_made_before_the_configuration_obeys_it(written):
    early = structlog.get_logger("early")
    logs.configure(LogLevel.DEBUG, LogFormat.JSON, file=written)

    early.debug("hello")

    assert lines(written)[0]["logger"] == "early"


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn.error", "asyncio", "litestar"])
def test_libraries_go_through_the_same_pipeline(written, name):
    logging.getLogger(name).addHandler(logging.NullHandler())
    logs.configure(LogLevel.INFO, LogFormat.JSON, file=written)

    logging.getLogger(name).info("started %s with %s", 1, KEY)

    [line] = lines(written)
    assert (line["level"], line["logger"]) == ("info", name)
    assert line["msg"] == "started 1 with [REDACTED]"


def test_a_library_with_a_level_or_a_format_of_its_own_is_heard(written):
    logs.configure(LogLevel.DEBUG, LogFormat.JSON, file=written)

    logging.getLogger("odd").log(35, "level 35")
    logging.getLogger("odd").log(99, "level 99")
    logging.getLogger("odd").info("%d", "x")

    assert [(line["level"], line["msg"]) for line in lines(written)] == [
        ("warn", "level 35"),
        ("error", "level 99"),
        ("info", "%d ('x',)"),
    ]


def test_secrets_are_redacted_wherever_they_stand(written):
    logs.configure(LogLevel.INFO, LogFormat.JSON, file=written)

    with bound_contextvars(token="hush"):
        structlog.get_logger().info(
            f"called with {KEY}", nested=[{"password": "hush"}], url="https://u:hush@h/"
        )

    assert b"hush" not in written.getvalue()
    assert KEY.encode() not in written.getvalue()


@pytest.mark.parametrize("form", LogFormat)
def test_exceptions_are_told_without_secrets(written, form):
    logs.configure(LogLevel.INFO, form, file=written)

    try:
        raise RuntimeError(f"refused {KEY}")  # noqa: TRY301 - it is what is caught
    except RuntimeError:
        structlog.get_logger().exception("it failed")
        logging.getLogger("library").exception("it failed there")

    told = written.getvalue().decode()
    assert told.count("RuntimeError: refused [REDACTED]") == 2
    assert told.count("Traceback") == 2
    assert KEY not in told


def test_text_is_for_people(written):
    logs.configure(LogLevel.INFO, LogFormat.TEXT, file=written)

    structlog.get_logger().warning("run moved", run_id="r1", secret="hush")

    [line] = written.getvalue().decode().splitlines()
    assert "warn" in line
    assert "run moved" in line
    assert "run_id=r1" in line
    assert "hush" not in line


def test_nothing_that_is_said_can_break_the_pipeline(written):
    logs.configure(LogLevel.INFO, LogFormat.JSON, file=written)

    structlog.get_logger().info("odd \udcff", value=object(), number=float("nan"), raw=b"\xff")

    [line] = lines(written)
    assert line["number"] is None
