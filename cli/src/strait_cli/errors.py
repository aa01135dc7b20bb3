"""Every way a command can end badly, as a tree, with its exit code (cli 3).

    CliError              1  anything without a code of its own
    ├── Crash             2  a bug of ours
    ├── ConfigError       3  usage, settings, or a prompt nobody can answer
    ├── NoKey             4  a call that needs a key, and there is none
    ├── ApiError          1  the server refused
    │   ├── AuthError     4  401, 403
    │   ├── NotFound      5  404
    │   ├── Conflict      6  409
    │   ├── Rejected      7  400, 413, 422
    │   ├── ServerError   8  5xx
    │   └── RateLimited  11  429
    ├── WaitExpired       9  what we waited for did not happen in time
    ├── RunFailed        10  what we waited for ended unsuccessfully
    ├── Unreachable      12  no connection, or no answer in time
    │   └── NoDatabase   12  the same, between the server and its database
    └── Interrupted     130  Ctrl-C

The exit code belongs to the class; nothing here reads an error's text.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final


class CliError(Exception):
    """An expected failure.

    `answered` says that the data is on standard output already, so that the
    error is told to people only and does not spoil the document.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"
    hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        suggestion: str = "",
        details: object = None,
        answered: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion or self.hint
        self.details = details
        self.answered = answered

    def document(self) -> dict[str, Any]:
        """Return the error as programs see it: empty keys are left out."""
        document = {
            "error": self.message,
            "exit_code": self.exit_code,
            "code": self.code,
            "suggestion": self.suggestion,
            "details": self.details,
        }
        return {key: value for key, value in document.items() if value not in ("", None, [], {})}


class Crash(CliError):
    exit_code = 2
    code = "panic"
    hint = "run it again with --debug to see where, and report it"


class ConfigError(CliError):
    exit_code = 3
    code = "config_error"


class NoKey(CliError):
    exit_code = 4
    code = "auth_error"
    hint = "pass one with --api-key, or set the variable STRAIT_API_KEY"


class ApiError(CliError):
    """An answer outside 2xx. `api_code` is the server's own, finer code."""

    def __init__(  # noqa: PLR0913  an error envelope has that many parts
        self,
        message: str,
        *,
        status: int,
        api_code: str = "",
        request_id: str = "",
        suggestion: str = "",
        details: object = None,
    ) -> None:
        super().__init__(message, suggestion=suggestion, details=details)
        self.status = status
        self.api_code = api_code
        self.request_id = request_id

    def document(self) -> dict[str, Any]:
        document = super().document() | {"status": self.status}
        extra = {"api_code": self.api_code, "request_id": self.request_id}
        return document | {key: value for key, value in extra.items() if value}


class AuthError(ApiError):
    exit_code = 4
    code = "auth_error"
    hint = "pass a key that may do this: --api-key, or the variable STRAIT_API_KEY"


class NotFound(ApiError):
    exit_code = 5
    code = "not_found"
    hint = "see what is there: strait jobs list, strait runs list"


class Conflict(ApiError):
    exit_code = 6
    code = "conflict"
    hint = "look at its present state, or choose another slug"


class Rejected(ApiError):
    exit_code = 7
    code = "validation_error"
    hint = "see the accepted values: add --help to the command"


class ServerError(ApiError):
    exit_code = 8
    code = "server_error"
    hint = "see which part is down: strait health --ready"


class WaitExpired(CliError):
    exit_code = 9
    code = "timeout"


class RunFailed(CliError):
    exit_code = 10
    code = "run_failed"


class RateLimited(ApiError):
    exit_code = 11
    code = "rate_limited"
    hint = "wait, then try again"


class Unreachable(CliError):
    exit_code = 12
    code = "unreachable"
    hint = "start a server with strait serve, or name another: --server, STRAIT_SERVER"


class NoDatabase(Unreachable):
    hint = "see where DATABASE_URL comes from: strait config check"


class Interrupted(CliError):
    exit_code = 130
    code = "interrupted"


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: Rejected,
    401: AuthError,
    403: AuthError,
    404: NotFound,
    409: Conflict,
    413: Rejected,
    422: Rejected,
    429: RateLimited,
}
_BY_SERVERS_EXIT: Final[Mapping[int, type[CliError]]] = {
    kind.exit_code: kind for kind in (ConfigError, WaitExpired, NoDatabase)
}


def kind_of(status: int) -> type[ApiError]:
    """Say which error an HTTP status is."""
    if status >= 500:  # noqa: PLR2004  the first status that is the server's fault
        return ServerError
    return _BY_STATUS.get(status, ApiError)


def kind_of_exit(code: int) -> type[CliError]:
    """Say which error it is when a command of the server itself ends with this code."""
    return _BY_SERVERS_EXIT.get(code, CliError)
