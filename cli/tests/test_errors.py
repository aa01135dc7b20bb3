"""Exit codes and error documents (cli 3, traps C2 and C5)."""

import inspect

import pytest

from strait_cli import errors
from strait_cli.errors import ApiError, CliError, NotFound, kind_of


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, 7),
        (401, 4),
        (402, 1),
        (403, 4),
        (404, 5),
        (409, 6),
        (413, 7),
        (422, 7),
        (429, 11),
        (500, 8),
        (503, 8),
        (302, 1),
    ],
)
def test_every_status_has_its_exit_code(status, code):
    assert kind_of(status).exit_code == code


def test_no_two_kinds_of_failure_share_a_code_by_accident():
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, CliError) and kind is not ApiError
    ]

    slug_by_code: dict[int, set[str]] = {}
    for kind in kinds:
        slug_by_code.setdefault(kind.exit_code, set()).add(kind.code)

    assert slug_by_code == {
        1: {"error"},
        2: {"panic"},
        3: {"config_error"},
        4: {"auth_error"},
        5: {"not_found"},
        6: {"conflict"},
        7: {"validation_error"},
        8: {"server_error"},
        9: {"timeout"},
        10: {"run_failed"},
        11: {"rate_limited"},
        12: {"unreachable"},
        130: {"interrupted"},
    }


def test_a_document_says_everything_a_program_needs():
    error = NotFound("job not found", status=404, api_code="not_found", request_id="req-1")

    assert error.document() == {
        "error": "job not found",
        "exit_code": 5,
        "code": "not_found",
        "suggestion": NotFound.hint,
        "status": 404,
        "api_code": "not_found",
        "request_id": "req-1",
    }


def test_a_document_leaves_out_what_is_empty():
    assert CliError("no").document() == {"error": "no", "exit_code": 1, "code": "error"}
