"""What happens to one invocation: parse, run, and report how it ended.

`main` is the outermost frame. Whatever a command raises becomes an exit code
and a sentence here, and nowhere else (cli 3).
"""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import typer

from strait_cli import completion
from strait_cli.errors import CliError, ConfigError, Crash, Interrupted
from strait_cli.output.writer import open_streams, report, tell
from strait_cli.settings import Format, load
from strait_cli.tree import root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    open_streams()
    args = list(sys.argv[1:] if argv is None else argv)
    shell = os.environ.get(completion.VARIABLE)
    if shell:
        return completion.answer(shell, args)
    flags: dict[str, Any] = {}
    try:
        return _run(args or ["--help"], flags)
    except CliError as error:
        return _end(error, flags)
    except typer.TyperException as error:
        return _end(_misuse(error), flags)
    except (typer.Abort, KeyboardInterrupt):
        return _end(Interrupted("interrupted"), flags)
    except Exception as error:  # noqa: BLE001  the outermost frame: a bug must end as code 2
        if flags.get("debug"):
            tell(traceback.format_exc())
        return _end(Crash(f"internal error: {type(error).__name__}: {error}"), flags)


def _run(args: list[str], flags: dict[str, Any]) -> int:
    try:
        code = root().main(args, prog_name="strait", standalone_mode=False, obj=flags)
    except SystemExit:  # Rich and Typer say in this way that nobody reads any more
        return 0
    if code == Interrupted.exit_code:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _misuse(error: typer.TyperException) -> ConfigError:
    """Turn a mistake on the command line into ours, with the way to its help."""
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx else "strait"
    message = error.format_message().replace("Value error, ", "")  # a class, to its makers
    return ConfigError(message, suggestion=f"{path} --help")


def _end(error: CliError, flags: dict[str, Any]) -> int:
    with suppress(typer.Exit, CliError):  # nobody reads any more, or nothing can be written
        report(error, _format(flags))
    return error.exit_code


def _format(flags: dict[str, Any]) -> Format:
    """Find the format of the report; settings that are the error leave it to the flag."""
    try:
        return load(flags).format
    except ConfigError:
        return flags.get("format") or (Format.TABLE if sys.stdout.isatty() else Format.JSON)
