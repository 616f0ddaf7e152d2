"""The command ``telemetry-quality report``: one file about the last days, for people without access."""

from __future__ import annotations

from pathlib import Path

import click

from telemetry_quality.assembly import REPORT_DAYS, make_report, open_store, utc_now
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, say
from telemetry_quality.errors import RequestError
from telemetry_quality.settings import load_settings

TO_STANDARD_OUTPUT = "-"


@click.command()
@click.option("--last", type=click.IntRange(1, 366), default=REPORT_DAYS, show_default=True, help="The number of days.")
@click.option(
    "-o",
    "--output",
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="The file to write; - is standard output.",
)
@click.option("--source", metavar="NAME", help="Only this source (default: all sources).")
@config_option
@json_option
def report(last: int, output: str, source: str | None, config: str | None, as_json: bool) -> int:
    """Write a report about the last days: overview, incidents and charts in one HTML file.

    The file needs no network, no scripts and no account, and can be printed or sent. It is made from the store alone.
    """
    settings = load_settings(config)
    names = settings.names(source)
    text, found = make_report(settings, open_store(settings), names, last, utc_now())
    if output == TO_STANDARD_OUTPUT:
        click.echo(text)
        return EXIT_HEALTHY
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RequestError(
            f"--output requires a file that can be written, but {output} cannot be ({error.strerror}); name another."
        ) from None
    count, untrusted = len(found.sources), len(found.untrusted)
    document = {"file": output, "sources": count, "untrusted_sources": untrusted, "incidents": len(found.incidents)}
    sentence = (
        f"Wrote {output}: {count} source{'' if count == 1 else 's'}, {found.span}, "
        f"{len(found.incidents)} incident{'' if len(found.incidents) == 1 else 's'}."
    )
    say(as_json, document, sentence)
    return EXIT_HEALTHY
