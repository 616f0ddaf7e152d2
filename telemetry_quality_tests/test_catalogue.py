"""Every consumer of the two catalogues knows every number of a day and every guardrail."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.guardrails.catalogue import BUILT_IN, guardrails_of, policy_of
from telemetry_quality.core.guardrails.guardrail import Failure, Guardrail
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.metrics import LISTED, METRICS, NOT_LISTED, DayFigures, Metric, Unit
from telemetry_quality.core.tuning.backtest import candidates
from telemetry_quality.dashboard.index import SORTABLE
from telemetry_quality.dashboard.markup.day_facts import day_facts
from telemetry_quality.dashboard.markup.revisions import compared
from telemetry_quality.dashboard.models import RevisionResponse, SnapshotLine
from telemetry_quality.frames.snapshots import COLUMNS
from telemetry_quality.orchestration.rendering import snapshot_metadata
from telemetry_quality.orchestration.specs import KINDS, SNAPSHOT_COLUMNS
from telemetry_quality.settings.guardrails import guardrail_settings
from telemetry_quality.storage.reader import JournalRow
from telemetry_quality.storage.tables import METRIC_TYPES, integrity_snapshot
from telemetry_quality_tests.builders import NOW, SCHEMA, make_snapshot, make_verdicts

DOCS = Path(__file__).parents[1] / "docs"
NUMBERS = pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
RULES = pytest.mark.parametrize("rule", BUILT_IN, ids=[rule.name for rule in BUILT_IN])


def numbers_table() -> str:
    """The table of docs/how-to/add-a-number.md."""
    rows = [
        f"| `{metric.name}` | {metric.label} | {metric.unit} | {metric.description} "
        f"| {metric.how.text} | {metric.schema_revision} |"
        for metric in METRICS
    ]
    head = ("| number | label | unit | what it says | how it is computed | schema |", "|---|---|---|---|---|---|")
    return "\n".join((*head, *rows))


def make_revision(**changes: object) -> RevisionResponse:
    """A revision in which every number is known."""
    numbers = {metric.name: True if metric.kind is bool else metric.kind(50) for metric in METRICS}
    line = {
        "source": "web", "day": "2026-03-10", "revision": 1, "status": "healthy", "computed_at": NOW, "run_id": None,
        **{metric.name: numbers[metric.name] for metric in LISTED},
    }  # fmt: skip
    return RevisionResponse.model_validate(
        {
            "snapshot": line,
            **{metric.name: numbers[metric.name] for metric in NOT_LISTED},
            "extra_numbers": {},
            "unreadable_reason_code": None,
            "unreadable_reason": None,
            "policy": dict(policy_of().values),
            "scan_revision": 1,
            "content_hash": None,
            "verdicts": (),
            "changes": None,
            "dagster_run_url": None,
            **changes,
        }
    )


# Numbers


@NUMBERS
def test_a_number_is_a_column_of_its_kind_in_the_store(metric: Metric) -> None:
    assert isinstance(integrity_snapshot.c[metric.name].type, METRIC_TYPES[metric.kind])


@NUMBERS
def test_a_number_is_a_field_of_the_api_that_is_described(metric: Metric) -> None:
    model = SnapshotLine if metric.is_listed else RevisionResponse

    assert (model.model_fields[metric.name].description or "").startswith(metric.description)


@NUMBERS
def test_a_number_is_in_dagster_s_schema_and_drawn_where_it_says_so(metric: Metric) -> None:
    (column,) = [candidate for candidate in SNAPSHOT_COLUMNS.columns if candidate.name == metric.name]
    snapshot = make_snapshot(**{metric.name: metric.kind(100)})

    assert (column.type, column.description) == (KINDS[metric.kind], metric.description)
    assert (
        metric.name in snapshot_metadata(snapshot, make_verdicts(), None, "https://quality.example.org")
    ) is metric.is_plotted


@NUMBERS
def test_a_number_is_in_exports_and_frames(metric: Metric) -> None:
    assert metric.name in COLUMNS


@NUMBERS
def test_the_index_holds_a_number_that_is_listed_and_sorts_by_main_ones(metric: Metric) -> None:
    assert (metric.name in JournalRow._fields) is metric.is_listed
    assert (metric.name in SORTABLE) is metric.is_main
    assert metric.is_listed or not metric.is_main


@NUMBERS
def test_the_comparison_of_revisions_marks_a_number_that_changed(metric: Metric) -> None:
    other = False if metric.kind is bool else metric.kind(51)
    first = make_revision()
    changed = first.model_copy(
        update={"snapshot": first.snapshot.model_copy(update={metric.name: other})}
        if metric.is_listed
        else {metric.name: other}
    )
    rows = {row.words: row.cells for row in compared([first, changed], BUILT_IN, ZoneInfo("UTC"))}

    assert rows[metric.label][1][1] is True


@NUMBERS
def test_the_day_page_shows_a_number_that_is_a_fact(metric: Metric) -> None:
    shown = {fact.words for fact in day_facts(make_revision(), BUILT_IN)}

    assert (metric.label in shown) is (metric.is_fact or metric.name == "completeness_percent")


def test_numbers_of_the_day_are_exactly_what_the_catalogue_declares() -> None:
    names = {metric.name for metric in METRICS}

    assert names == {*DayFigures.__dataclass_fields__} - {
        "extra_numbers",
        "unreadable_reason",
        "unreadable_reason_code",
    }
    assert len({metric.label for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.endswith(("_events", "_percent", "_size", "_passed")) is (metric.unit is not Unit.YES_NO)
        assert metric.description.endswith(".")


def test_the_docs_list_every_number() -> None:
    assert numbers_table() in (DOCS / "how-to" / "add-a-number.md").read_text(encoding="utf-8")


def test_the_declaration_on_the_page_about_numbers_is_the_one_in_the_code() -> None:
    page = (DOCS / "how-to" / "add-a-number.md").read_text(encoding="utf-8")
    (declaration,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    source = (DOCS.parent / "telemetry_quality" / "core" / "metrics.py").read_text(encoding="utf-8")

    assert indent(declaration, "    ") in source


# Guardrails


@RULES
def test_every_setting_of_a_guardrail_can_be_set_within_its_bounds(rule: Guardrail) -> None:
    fields = guardrail_settings().model_fields
    for setting in rule.all_settings:
        assert fields[setting.name].default == setting.default
        assert fields[setting.name].description == setting.description
        assert policy_of()[setting] == setting.default


@RULES
def test_what_a_guardrail_measures_is_a_number_and_its_thresholds_can_be_tuned(rule: Guardrail) -> None:
    names = {metric.name for metric in METRICS} | {number.metric.name for number in rule.numbers}
    assert rule.metric is None or rule.metric in names
    for threshold in rule.thresholds:
        assert threshold.default in candidates(threshold, threshold.default)
        assert len(candidates(threshold, threshold.default)) > 2
        assert rule.faults


@RULES
def test_a_guardrail_says_its_failure_in_few_words_and_what_to_do(rule: Guardrail) -> None:
    assert rule.short_words is not None
    words = rule.short_words(Failure(42.0, 5.0, "platform=ios"))
    assert 0 < len(words) < 80
    assert not words.endswith(".")
    assert rule.remedy
    assert rule.description.endswith(".")
    assert isinstance(rule.level, Level)


def test_the_readme_tells_what_to_do_about_each_guardrail() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", readme.split("## What the guardrails mean")[1], flags=re.MULTILINE))
    assert {rule.name for rule in BUILT_IN} <= rows.keys()
    for rule in BUILT_IN:
        assert rule.remedy in rows[rule.name], rule.name


def test_a_schema_with_every_role_is_judged_by_every_guardrail() -> None:
    schema = replace(SCHEMA, critical_fields=("user_id",), observed_at="seen_at", dimensions=("platform",))

    assert guardrails_of(schema) == BUILT_IN


@pytest.mark.parametrize(("outcome", "is_marked"), [("failed", True), ("unknown", True), ("passed", False)])
def test_a_number_beyond_its_limit_is_marked_unless_its_guardrail_let_the_day_pass(
    outcome: str, is_marked: bool
) -> None:
    verdict = {
        "guardrail": "error_rate", "level": "CRITICAL", "outcome": outcome, "reason_code": "CODE", "value": 50.0,
        "threshold": 5.0, "sentence": "Words.", "contributors": (),
    }  # fmt: skip
    facts = {fact.words: fact.is_beyond for fact in day_facts(make_revision(verdicts=(verdict,)), BUILT_IN)}

    assert (facts["Errors"], facts["No version"]) == (is_marked, True)
