"""The commands that maintain the store: ``verify`` and ``migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import open_store, utc_now
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    EXIT_UNKNOWN,
    config_option,
    json_option,
    print_json,
    say,
)
from telemetry_quality.console import write
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from telemetry_quality.storage.verification import Verification


@click.command()
@click.option(
    "--expect", metavar="ANCHOR", help="An anchor printed before, or a file of them: find cut and older stores."
)
@click.option("--anchor", "place", metavar="FILE|URL", help="Where to keep the anchor, if nothing was found.")
@config_option
@json_option
def verify(expect: str | None, place: str | None, config: str | None, as_json: bool) -> int:
    """Find rows of the store that were changed, added or removed by anything but this program.

    Exits with 0 if nothing was found, 1 if something was, 2 if the store could not be verified or the anchor not kept.
    """
    from telemetry_quality.storage.kept_anchors import expected_anchors, keep_anchor  # noqa: PLC0415 - late, as stores are

    settings = load_settings(config)
    expected = () if expect is None else expected_anchors(expect)
    result = open_store(settings).verify(expected)
    if place is not None and result.anchor is not None and not result.findings:
        keep_anchor(result.anchor, place, utc_now())
    if as_json:
        print_json(_as_json(result, len(expected)))
    else:
        for finding in result.findings:
            write(f"{finding.table}: {finding.sentence}")
        write(f"{result.rows:,} rows checked, {len(result.findings)} findings; anchor {result.anchor or 'none'}")
    if place is not None and result.findings:
        write("The anchor was not kept, because something was found.", stderr=True)
    return EXIT_NOT_HEALTHY if result.findings else EXIT_HEALTHY


def _as_json(result: Verification, expected: int) -> dict[str, Any]:
    return {
        "is_intact": not result.findings,
        "rows": result.rows,
        "anchor": result.anchor and str(result.anchor),
        "expected_anchors": expected,
        "findings": [
            {"table": finding.table, "row": finding.row, "sentence": finding.sentence} for finding in result.findings
        ],
    }


@click.command()
@click.option("--check", "only_check", is_flag=True, help="For developers: check that migrations and models agree.")
@click.option("--runs-role", metavar="ROLE", help="PostgreSQL: the role of runs, which may append what was measured.")
@click.option("--dashboard-role", metavar="ROLE", help="PostgreSQL: the dashboard's role, which may change accounts.")
@config_option
@json_option
def migrate(
    only_check: bool, runs_role: str | None, dashboard_role: str | None, config: str | None, as_json: bool
) -> int:
    """Create the quality store or bring it up to date, and say who may write what in it."""
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
    if (runs_role is None) != (dashboard_role is None):
        raise RequestError("migrate requires both --runs-role and --dashboard-role, but one was given; add the other.")
    revision = migrations.migrate(settings.store)
    if runs_role is not None and dashboard_role is not None:
        from telemetry_quality.storage.grants import grant  # noqa: PLC0415 - rarely used

        grant(settings.store, runs_role, dashboard_role)
    say(as_json, {"schema_revision": revision}, f"The store has schema {revision}.")
    return EXIT_HEALTHY
