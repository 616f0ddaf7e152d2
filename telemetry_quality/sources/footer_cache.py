"""Footers of objects, kept between processes in a file of this user's cache folder.

An object that was written again has another tag and counts as another object. Whatever is wrong with the file only
means that footers are fetched again.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry_quality.sources.parquet import ParquetFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

MOST_FOOTERS = 200_000
_VERSION = 1
"""Of what is kept; footers kept by another version are not read."""

_TABLES = """
CREATE TABLE IF NOT EXISTS columns_of_files (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS footers (
    key TEXT PRIMARY KEY, columns INTEGER NOT NULL, footer TEXT NOT NULL, number INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS footers_by_age ON footers (number);
"""


class FooterCache:
    """The footers of one source."""

    def __init__(self, *roles: str | None) -> None:
        self._roles = roles
        self._file = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "telemetry-quality", "footers.db")

    def find(self, tags: Mapping[str, str]) -> dict[str, ParquetFile]:
        """The footers that are known of objects, whose tags are given by path."""
        found: dict[str, ParquetFile] = {}
        with self._tolerated():
            found |= self._find({self._key(path, tag): path for path, tag in tags.items() if tag})
        return found

    def keep(self, files: Iterable[ParquetFile], tags: Mapping[str, str]) -> None:
        """Keep the footers of objects; the oldest beyond MOST_FOOTERS are forgotten."""
        with self._tolerated():
            self._keep([file for file in files if file.broken is None and tags.get(file.path)], tags)

    def _find(self, paths: Mapping[str, str]) -> dict[str, ParquetFile]:
        with closing(self._connect()) as connection:
            texts = connection.execute("SELECT id, text FROM columns_of_files").fetchall()
            columns = {id_: json.loads(text) for id_, text in texts}
            known = connection.execute(
                "SELECT key, columns, footer FROM footers WHERE key IN (SELECT value FROM json_each(?))",
                [json.dumps(list(paths))],
            )
            return {paths[key]: _read(paths[key], columns[id_], json.loads(text)) for key, id_, text in known}

    def _keep(self, files: Sequence[ParquetFile], tags: Mapping[str, str]) -> None:
        with closing(self._connect()) as connection, connection:
            (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM footers").fetchone()
            for number, file in enumerate(files, start=last + 1):
                text = json.dumps(dict(file.columns))
                connection.execute("INSERT OR IGNORE INTO columns_of_files (text) VALUES (?)", [text])
                connection.execute(
                    "INSERT OR REPLACE INTO footers SELECT ?, id, ?, ? FROM columns_of_files WHERE text = ?",
                    [self._key(file.path, tags[file.path]), _written(file), number, text],
                )
            connection.execute("DELETE FROM footers WHERE number <= ?", [last + len(files) - MOST_FOOTERS])

    def _key(self, path: str, tag: str) -> str:
        return json.dumps([_VERSION, path, tag, *self._roles])

    @contextmanager
    def _tolerated(self) -> Iterator[None]:
        """Go on without the cache if it cannot be used, and remove it if it is damaged."""
        try:
            yield
        except (OSError, sqlite3.Error, ValueError, KeyError, TypeError) as error:
            log.debug("The cache of footers %s is not used: %s", self._file, error)
            is_damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            with suppress(OSError):
                if is_damaged:
                    self._file.unlink()

    def _connect(self) -> sqlite3.Connection:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._file, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._file, timeout=1)
        # What a crash of the machine loses is fetched again.
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_TABLES)
        return connection


def _written(file: ParquetFile) -> str:
    times = (file.first, file.last, file.first_observed, file.last_observed)
    return json.dumps([file.rows, file.is_dated, *(at and at.isoformat() for at in times)])


def _read(path: str, columns: Mapping[str, str], footer: list[object]) -> ParquetFile:
    rows, is_dated, *texts = footer
    first, last, first_observed, last_observed = (
        datetime.fromisoformat(str(text)).astimezone(UTC) if text else None for text in texts
    )
    file = ParquetFile(path, int(str(rows)), first, last, is_dated=bool(is_dated), columns=columns)
    return replace(file, first_observed=first_observed, last_observed=last_observed)
