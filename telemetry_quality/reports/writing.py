"""Writing: a report as one file of HTML that needs no network and no scripts, on screen and on paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.incidents.wording import incident_sentence
from telemetry_quality.core.links import day_link, incident_link
from telemetry_quality.core.visible import visible
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from jinja2 import Template

    from telemetry_quality.reports.model import Report, ReportedSource

MOST_DETAILED = 100
"""The sources with charts of their own, the worst first; all others are in the overview."""

MOST_INCIDENTS = 200
MOST_DAYS = 31
"""The days of a source whose failures are listed, the newest first."""

LONGEST_WORDS = 300


def write(report: Report) -> str:
    """The report as HTML.

    Raises:
        RequestError: If the package that fills in templates is not installed.
    """
    # Imported late: not everybody who loads the settings makes reports, and it is an extra.
    template = _template()
    from telemetry_quality.reports import drawing  # noqa: PLC0415

    return template.render(
        report=report,
        detailed=report.sources[:MOST_DETAILED],
        incidents=report.incidents[:MOST_INCIDENTS],
        more_incidents=max(0, len(report.incidents) - MOST_INCIDENTS),
        titles={source.name: source.title for source in report.sources},
        plots=plots_of,
        drawing=drawing,
        sentence=incident_sentence,
        day_link=day_link,
        incident_link=incident_link,
        most_days=MOST_DAYS,
        today=report.made_at.date(),
    )


def plots_of(source: ReportedSource) -> list[Any]:
    """The charts of a source: its volume, and then shares that are known on any day."""
    from telemetry_quality.reports.drawing import Plot  # noqa: PLC0415

    snapshots = [day.snapshot for day in source.days]

    def values(name: str) -> list[float | None]:
        return [None if snapshot is None else snapshot.number(name) for snapshot in snapshots]

    volume = Plot("Events", values("total_events"), values("expected_low_events"), values("expected_high_events"))
    labels = {"error_rate_percent": "Errors, percent", "missing_version_percent": "Missing versions, percent"}
    shares = [Plot(label, values(name), limit=source.limits[name]) for name, label in labels.items()]
    return [volume, *(plot for plot in shares if any(value is not None for value in plot.values))]


def _shown(text: str) -> str:
    """Text of events or people on one line, cut to what fits."""
    clean = visible(text)
    return clean if len(clean) <= LONGEST_WORDS else f"{clean[:LONGEST_WORDS]}…"


@cache
def _template() -> Template:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
    except ImportError:
        raise RequestError(
            "A report requires the package jinja2, but it is not installed; "
            'run pip install "telemetry-quality[dashboard]".'
        ) from None
    environment = Environment(
        loader=PackageLoader("telemetry_quality.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    return environment.get_template("report.html")
