"""Who else on this machine can read what should be private: the store, Dagster's home, and settings with secrets."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from telemetry_quality.connectors import ConnectorSettings
from telemetry_quality.notifiers import NotifierSettings
from telemetry_quality.storage.engine import database_at
from telemetry_quality.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry_quality.settings import Settings

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""All rights of the group and of everybody else."""


def exposures(settings: Settings, file: Path, home: str | None) -> list[str]:
    """What other users of this machine may read or write, each as a sentence with its remedy.

    Args:
        settings: The settings that were read.
        file: Where they were read from.
        home: Dagster's home; None if it is not set.
    """
    found = [_exposed(store, "The store", 600) for store in _files_of(settings)]
    if home is not None:
        found.append(_exposed(Path(home), "Dagster's home", 700))
    if (key := next(secrets_in(settings, file.read_text(encoding="utf-8")), None)) is not None:
        found.append(_exposed(file, f"The settings file, which holds a secret ({key}),", 600))
    return [sentence for sentence in found if sentence is not None]


def _files_of(settings: Settings) -> list[Path]:
    database = database_at(settings.store)
    if not isinstance(database, SqliteDatabase):
        return []
    return [database.file.with_name(database.file.name + end) for end in ("", "-wal", "-shm")]


def _exposed(path: Path, what: str, wanted: int) -> str | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if not mode & OTHERS:
        return None
    return f"{what} must be readable by its owner only, but {path} has the rights {mode:03o}; run chmod {wanted} {path}"


def secrets_in(model: BaseModel, text: str, path: str = "") -> Iterator[str]:
    """The keys of the settings whose secret values stand in ``text``; what is set in the environment does not."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        nested = value.items() if isinstance(value, dict) else [("", value)]
        for key, part in nested:
            place = ".".join(filter(None, (path, name, key)))
            if isinstance(part, (ConnectorSettings, NotifierSettings)):
                # The file lists these keys with the common ones.
                yield from secrets_in(part, text, path)
            elif isinstance(part, BaseModel):
                yield from secrets_in(part, text, place)
            elif not field.repr and isinstance(part, str) and part in text:
                is_file = name == "anchor" and "://" not in part
                is_database = name == "store" or (isinstance(model, ConnectorSettings) and name == "url")
                if not is_file and (not is_database or _has_password(part)):
                    yield place


def _has_password(url: str) -> bool:
    """Whether the URL of a database contains a password or, as Spark's do, a token; it need not."""
    try:
        return ";token=" in url or make_url(url).password is not None
    except (ArgumentError, ValueError):
        return False
