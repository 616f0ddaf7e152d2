"""The command ``telemetry-quality init``: a settings file to start from."""

from __future__ import annotations

from pathlib import Path

import click

import telemetry_quality
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, say
from telemetry_quality.errors import SettingsError
from telemetry_quality.settings import DEFAULT_FILE, PRESETS


@click.command()
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Use the field names of a well-known format.")
@config_option
@json_option
def init(preset: str | None, config: str | None, as_json: bool) -> int:
    """Write a settings file to start from; an existing file is never overwritten."""
    file = Path(config or DEFAULT_FILE)
    text = (Path(telemetry_quality.__file__).with_name("starter") / "telemetry.toml").read_text(encoding="utf-8")
    if preset is not None:
        before, _, rest = text.partition("[sources.web.roles]")
        guardrails = rest[rest.index("[sources.web.guardrails]") :]
        chosen = before.replace('# preset = "opentelemetry"       #', f'preset = "{preset}"  #')
        text = f"{chosen}[sources.web.roles]  # beyond the preset's\n\n{guardrails}"
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise SettingsError(
            f"init requires a new file, but {file} exists; remove it or pass another name with --config."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"init requires a writable folder, but {file} could not be written: {error.strerror}."
        ) from None
    say(
        as_json,
        {"file": str(file)},
        f"Wrote {file}. Name your columns in it, then run telemetry-quality check.",
    )
    return EXIT_HEALTHY
