"""Whether a SQLite file is sound: in a damaged one, SQLite may read fewer rows without noticing.

SQLite checks the structure of its file only on request. The check reads the whole file, at about a gigabyte a second,
but takes no lock and disturbs no writer.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.limits import time_limit

if TYPE_CHECKING:
    from collections.abc import Hashable

LARGEST_CHECKED_BYTES = 2 * 2**30
"""Larger files are not checked: reading all of one takes longer than reading a day."""

CHECK_SECONDS = 30
"""A check that takes longer, on a slow disk, is given up."""

ATTEMPTS = 3
"""How often a file that changes during the check is checked without a lock, before it is checked with one."""

DAMAGED_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_CONTENT = re.compile(
    r"(NULL|NUMERIC|TEXT|INT|REAL|BLOB) value in|CHECK constraint failed|non-unique entry|row \d+ missing|wrong # of"
)
"""What is found about values: they break a rule of the table, but can be read."""


def state_of(path: str) -> Hashable:
    """What changes whenever a file or its logs do."""
    found = []
    for suffix in ("", "-wal", "-journal"):
        try:
            status = Path(path + suffix).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def require_sound_file(path: str) -> None:
    """Raise a SourceError if the file is damaged.

    Raises:
        SourceError: ``FILE_BROKEN``, with what SQLite found.
    """
    if Path(path).stat().st_size > LARGEST_CHECKED_BYTES:
        return
    for _ in range(ATTEMPTS):
        before = state_of(path)
        # Without locks and without the log, the file may look damaged only because somebody writes.
        damage = _damage(path, "immutable=1")
        if damage is None:
            return
        if state_of(path) == before and not _has_log(path):
            raise broken(path, damage)
    damage = _damage(path, "mode=ro")
    if damage is not None:
        raise broken(path, damage)


def _has_log(path: str) -> bool:
    return any(Path(log).is_file() and Path(log).stat().st_size for log in (f"{path}-wal", f"{path}-journal"))


def _damage(path: str, how: str) -> str | None:
    """The first damage that SQLite finds in the structure of the file; None if there is none."""
    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?{how}", uri=True)) as connection:
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        with time_limit(CHECK_SECONDS, connection.interrupt):
            try:
                ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
            except sqlite3.Error as error:
                # Other errors say that something cannot be checked, such as a collation of the application's own.
                return str(error) if is_damage(error) else None
    if found == "ok" or _CONTENT.search(found):
        return None
    return str(found).replace("*** in database main ***", "").strip().splitlines()[0]


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite's error says that the file is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED_CODES


def broken(path: str, damage: str) -> SourceError:
    """The error for a damaged file."""
    return SourceError(
        "FILE_BROKEN",
        f"{path} must be a sound SQLite file, but is damaged ({damage}); restore it, or copy what can be read of it "
        "with sqlite3's .recover.",
    )
