"""The commands that maintain the store: ``verify`` and ``migrate``."""

from __future__ import annotations

import click

from telemetry_quality.assembly import open_store
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    json_option,
    print_json,
    say,
)
from telemetry_quality.settings import load_settings


@click.command()
@config_option
@json_option
def verify(config: str | None, as_json: bool) -> int:
    """Find rows of the store that were changed, added or removed by anything but this program."""
    result = open_store(load_settings(config)).verify()
    if as_json:
        print_json(
            {
                "is_intact": not result.findings,
                "rows": result.rows,
                "head_hash": result.head_hash,
                "findings": [
                    {"table": finding.table, "row": finding.row, "sentence": finding.sentence}
                    for finding in result.findings
                ],
            }
        )
    else:
        for finding in result.findings:
            click.echo(f"{finding.table}: {finding.sentence}")
        click.echo(f"{result.rows:,} rows checked, {len(result.findings)} findings; last hash {result.head_hash}.")
    return EXIT_NOT_HEALTHY if result.findings else EXIT_HEALTHY


@click.command()
@click.option("--check", "only_check", is_flag=True, help="For developers: check that migrations and models agree.")
@config_option
@json_option
def migrate(only_check: bool, config: str | None, as_json: bool) -> int:
    """Create the quality store or bring it up to date."""
    from telemetry_quality.storage import migrations  # noqa: PLC0415 - Alembic costs a third of a second

    if only_check:
        found = migrations.differences_of_a_new_store()
        say(
            as_json,
            {"differences": list(map(str, found))},
            "\n".join(map(str, found)) or "Migrations and models agree.",
        )
        return EXIT_UNKNOWN if found else EXIT_HEALTHY
    settings = load_settings(config)
    revision = migrations.migrate(settings.store)
    say(as_json, {"schema_revision": revision}, f"The store has schema {revision}.")
    return EXIT_HEALTHY
