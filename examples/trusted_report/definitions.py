"""A report on each day of page views that waits until the day can be trusted."""

import csv
from pathlib import Path

import dagster as dg

from telemetry_quality.dagster import build_definitions, trusted_days_condition

FOLDER = Path(__file__).parent
REPORTS = FOLDER / "reports"


@dg.asset(
    deps=[dg.AssetKey(["web", "integrity_snapshot"])],
    partitions_def=dg.DailyPartitionsDefinition("2026-02-01", end_date="2026-02-08"),
    automation_condition=trusted_days_condition("web"),
)
def views_per_page(context: dg.AssetExecutionContext) -> None:
    """How often each page was viewed on a day."""
    day = context.partition_key
    views: dict[str, int] = {}
    with (FOLDER / "events" / f"{day}.csv").open(newline="") as file:
        for event in csv.DictReader(file):
            views[event["page"]] = views.get(event["page"], 0) + 1
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / f"{day}.txt").write_text("".join(f"{page} {count}\n" for page, count in views.items()))


defs = dg.Definitions.merge(
    dg.Definitions(
        assets=[views_per_page],
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "reports",
                target=dg.AssetSelection.assets(views_per_page),
                default_status=dg.DefaultSensorStatus.RUNNING,
            )
        ],
    ),
    build_definitions(FOLDER / "telemetry.toml"),
)
