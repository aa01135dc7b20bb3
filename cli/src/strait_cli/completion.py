"""Completion for four shells, without running the command line (cli 8.1).

A small script per shell asks this module: the variable names the shell, another
holds the word under the cursor, the arguments are the words before it. The answer
is read off the command tree, importing only the group in question and neither
httpx nor rich, so that a press of the key stays within 150 ms.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from strait_cli.options import PANEL
from strait_cli.tree import Deferred, root

VARIABLE: Final = "_STRAIT_COMPLETE"
WORD: Final = "_STRAIT_WORD"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


class Candidate(NamedTuple):
    """What may stand at the cursor."""

    value: str
    help: str = ""


def answer(shell: str, words: Sequence[str]) -> int:
    """Write the candidates in the shell's own form; an unknown shell gets none."""
    for candidate in candidates(words, os.environ.get(WORD, "")):
        sys.stdout.write(f"{_worded(shell, candidate)}\n")
    return 0


def candidates(words: Sequence[str], current: str) -> list[Candidate]:
    """Say what may stand at the cursor. Nothing means: let the shell offer files."""
    # bash hands over `--format=js` as three words.
    before = [word for word in words if word != "="]
    current = current.removeprefix("=")
    command: TyperCommand | TyperGroup = root()
    waiting: TyperOption | None = None
    position = 0
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-"):
            option = _option(command, word.partition("=")[0])
            waiting = option if option and _takes_value(option) and "=" not in word else None
        elif isinstance(command, TyperGroup):
            child = command.commands.get(word)
            if not isinstance(child, TyperCommand):
                return []
            command = child.become() if isinstance(child, Deferred) else child
        else:
            position += 1
    return _matching(_offers(command, waiting, position, current), current)


def _offers(
    command: TyperCommand | TyperGroup, waiting: TyperOption | None, position: int, current: str
) -> Iterator[Candidate]:
    if waiting is not None:
        yield from _choices(waiting)
    elif current.startswith("-"):
        name, equals, _ = current.partition("=")
        option = _option(command, name) if equals else None
        if option:
            yield from (Candidate(f"{name}={value}", text) for value, text in _choices(option))
        else:
            yield from _options(command)
    elif isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            if not child.hidden:
                yield Candidate(name, _first_line(child.help))
    else:
        arguments = [param for param in command.params if isinstance(param, TyperArgument)]
        if position < len(arguments):
            yield from _choices(arguments[position])


def _options(command: TyperCommand | TyperGroup) -> Iterator[Candidate]:
    for param in command.params:
        if isinstance(param, TyperOption) and (not param.hidden or param.rich_help_panel == PANEL):
            for name in (*param.opts, *param.secondary_opts):
                if name.startswith("--"):
                    yield Candidate(name, _first_line(param.help))
    yield Candidate("--help", "Show what this does.")


def _option(command: TyperCommand | TyperGroup, name: str) -> TyperOption | None:
    for param in command.params:
        if isinstance(param, TyperOption) and name in param.opts:
            return param
    return None


def _takes_value(option: TyperOption) -> bool:
    return not option.is_flag and not option.count


def _choices(param: TyperOption | TyperArgument) -> Iterator[Candidate]:
    for choice in param.type_descriptor.choices or ():
        yield Candidate(str(choice))


def _matching(offers: Iterator[Candidate], current: str) -> list[Candidate]:
    return [offer for offer in offers if offer.value.startswith(current)]


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]


def _worded(shell: str, candidate: Candidate) -> str:
    value, text = candidate
    match shell:
        case Shell.ZSH:
            escaped = value.replace(":", "\\:")
            return f"{escaped}:{text}" if text else escaped
        case Shell.FISH | Shell.POWERSHELL:
            return f"{value}\t{text}"
        case _:
            return value


SCRIPTS: Final = {
    Shell.BASH: """\
# strait completion for bash: source <(strait completion bash)
_strait() {
    local IFS=$'\\n'
    COMPREPLY=($(_STRAIT_COMPLETE=bash _STRAIT_WORD="${COMP_WORDS[COMP_CWORD]}" \\
        strait "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null))
}
complete -o default -F _strait strait
""",
    Shell.ZSH: """\
#compdef strait
# strait completion for zsh: source <(strait completion zsh)
_strait() {
    local -a offers
    offers=("${(@f)$(_STRAIT_COMPLETE=zsh _STRAIT_WORD="$PREFIX" \\
        strait "${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
    if [[ -n "$offers" ]]; then
        _describe 'strait' offers
    else
        _files
    fi
}
compdef _strait strait
""",
    Shell.FISH: """\
# strait completion for fish: strait completion fish | source
function __strait_offers
    set --local word (commandline --current-token --cut-at-cursor)
    set --local before (commandline --tokenize --cut-at-cursor --current-process)
    set --local offers (env _STRAIT_COMPLETE=fish _STRAIT_WORD="$word" \\
        strait $before[2..] 2>/dev/null)
    if test (count $offers) -gt 0
        printf '%s\\n' $offers
    else
        __fish_complete_path "$word"
    end
end
complete --command strait --no-files --arguments '(__strait_offers)'
""",
    Shell.POWERSHELL: """\
# strait completion for PowerShell: strait completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName strait -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements |
        Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text })
    $env:_STRAIT_COMPLETE = 'powershell'
    $env:_STRAIT_WORD = $wordToComplete
    try {
        strait @before 2>$null | ForEach-Object {
            $value, $text = $_ -split "`t", 2
            if (-not $text) { $text = $value }
            [System.Management.Automation.CompletionResult]::new(
                $value, $value, 'ParameterValue', $text)
        }
    } finally {
        Remove-Item Env:_STRAIT_COMPLETE, Env:_STRAIT_WORD -ErrorAction SilentlyContinue
    }
}
""",
}
