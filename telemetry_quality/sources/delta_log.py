"""The log of a Delta table: opens it with the package deltalake, and says in a sentence why that fails."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from telemetry_quality.core.visible import visible
from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNDECLARED = "undeclared"
"""The only column of a table whose log declares none: the columns are those of its files."""

_UNDECLARED_SCHEMA = re.compile(r'"schemaString"\s*:\s*"\{\}"')
_DECLARED_SCHEMA = (
    r'"schemaString":"{\\"type\\":\\"struct\\",\\"fields\\":'
    rf'[{{\\"name\\":\\"{UNDECLARED}\\",\\"type\\":\\"string\\",\\"nullable\\":true,\\"metadata\\":{{}}}}]}}"'
)
_LARGEST_UNDECLARED_BYTES = 64 * 1024**2
_LONGEST_REASON = 200
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def open_table(path: str, options: Mapping[str, str]) -> DeltaTable:
    """The current version of the table in a folder or below a URL.

    Raises:
        SourceError: If there is no table, or its log cannot be read.
    """
    with log_errors(path):
        try:
            table = DeltaTable(path, storage_options=dict(options) or None)
        except DeltaError:
            undeclared = None if "://" in path else _open_undeclared(Path(path, "_delta_log"))
            if undeclared is None:
                raise
            table = undeclared
    if "://" not in path:
        _require_whole_commits(Path(path, "_delta_log"))
    return table


def _open_undeclared(log: Path) -> DeltaTable | None:
    """The table of a log that declares no columns, which the package refuses; None if the log is no such log."""
    files = list(log.iterdir()) if log.is_dir() else []
    if sum(file.stat().st_size for file in files) > _LARGEST_UNDECLARED_BYTES:
        return None
    commits = {file.name: file.read_text("utf-8", "replace") for file in files if file.suffix == ".json"}
    if not any(_UNDECLARED_SCHEMA.search(commit) for commit in commits.values()):
        return None
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(log, Path(folder, log.name)))
        for name, commit in commits.items():
            copy.joinpath(name).write_text(_UNDECLARED_SCHEMA.sub(_DECLARED_SCHEMA, commit), "utf-8")
        return DeltaTable(folder)


def _require_whole_commits(log: Path) -> None:
    """Raise SourceError if a commit is empty: it was cut short, and what it added would not be missed."""
    empty = sorted(commit for commit in log.glob("*.json") if commit.stat().st_size == 0)
    if empty:
        raise SourceError(
            "SOURCE_UNREADABLE",
            f"The log of {log.parent} cannot be read ({empty[0].name} is empty); restore {empty[0]}.",
        )


def file_of(path: str, table: str) -> str:
    """A file of the log as DuckDB opens it.

    Args:
        path: What the log says: encoded like a URL, and relative to the table or not.
        table: The table's folder or URL.
    """
    found = unquote(path)
    if _SCHEME.match(path) is None:
        return f"{table.rstrip('/')}/{found}"
    return re.sub("^file:/+", "/", found)


@contextmanager
def log_errors(path: str) -> Iterator[None]:
    """The package's errors as sentences."""
    try:
        yield
    except SourceError:
        raise
    except TableNotFoundError:
        raise SourceError(
            "TABLE_MISSING",
            f"A Delta table is required, but {path} has no log or cannot be entered; check the path and the rights.",
        ) from None
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            raise
        # The package reports bugs of its own as panics, which are no Exceptions.
        raise SourceError(
            "SOURCE_UNREADABLE", f"The log of {path} cannot be read ({_reason(error)}); restore its _delta_log."
        ) from None


def _reason(error: BaseException) -> str:
    """The beginning of an error's text, without what it quotes: the log holds values of events."""
    first_line = next(iter(str(error).strip().splitlines()), "")
    return visible(re.split("[\"']", first_line)[0][:_LONGEST_REASON].strip(" :,")) or type(error).__name__
