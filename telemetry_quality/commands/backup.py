"""The commands ``backup`` and ``restore``: the whole store in one file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, say
from telemetry_quality.settings import load_settings

_file = click.argument("file", type=click.Path(path_type=Path))


@click.command()
@_file
@config_option
@json_option
def backup(file: Path, config: str | None, as_json: bool) -> int:
    """Write the whole store to FILE, a new SQLite file for its owner alone, while others may write to the store."""
    from telemetry_quality.storage.backup import back_up  # noqa: PLC0415 - SQLAlchemy and Alembic take long to import

    anchor = back_up(load_settings(config).store, file)
    say(as_json, {"file": str(file), "anchor": str(anchor)}, f"{file} holds the store with the anchor {anchor}")
    return EXIT_HEALTHY


@click.command()
@_file
@config_option
@json_option
def restore(file: Path, config: str | None, as_json: bool) -> int:
    """Verify the backup FILE and put it into the store of the settings, which must be empty or missing."""
    from telemetry_quality.storage import backup as backups  # noqa: PLC0415

    anchor = backups.restore(file, load_settings(config).store)
    say(as_json, {"file": str(file), "anchor": str(anchor)}, f"{file} is restored; the store has the anchor {anchor}")
    return EXIT_HEALTHY
