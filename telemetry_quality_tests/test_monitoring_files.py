"""The dashboard for Grafana and the alerting rules name only metrics, labels and statuses that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from telemetry_quality.core.gauges import GAUGES, LEVEL, QUIET, RAISED, STATE, STATUS
from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.durations import REQUEST_DURATION
from telemetry_quality.dashboard.metrics import BUILD, OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SERIES = {
    **{gauge.name: set(gauge.labels) for gauge in GAUGES},
    **{name: {"version"} if name == BUILD else set() for name in OWN if name != REQUEST_DURATION},
    f"{REQUEST_DURATION}_bucket": {"route", "code", "le"},
}
VALUES: dict[str, set[str]] = {STATUS: {*DayStatus}, LEVEL: {*Level}, STATE: {RAISED, QUIET}}
GIVEN_BY_PROMETHEUS = {"job", "instance"}


def _values(node: Any, key: str) -> Iterator[str]:
    """Every text under a key, anywhere in a document."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if name == key and isinstance(value, str):
            yield value
        if isinstance(value, dict | list):
            yield from _values(value, key)


def _rules() -> list[dict[str, Any]]:
    text = (ROOT / "deploy" / "alertmanager-rules.yaml").read_text()
    (group,) = yaml.safe_load(text)["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def _board() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    return board


def _expressions() -> list[str]:
    return [*_values(_board(), "expr"), *_values(_board(), "definition"), *(rule["expr"] for rule in _rules())]


def test_every_expression_names_metrics_labels_and_values_that_exist() -> None:
    assert len(_expressions()) > 20
    for expression in _expressions():
        named = re.findall(r"(telemetry_quality_\w+)(?:{([^}]*)})?", expression)
        assert named, expression
        for metric, selector in named:
            assert metric in SERIES, expression
            for label, value in re.findall(r'(\w+)=~?"([^"]*)"', selector):
                assert label in SERIES[metric], expression
                assert value.startswith("$") or value in VALUES[label], expression
        grouped = {label for labels in re.findall(r"(?:by|on) \(([^)]*)\)", expression) for label in labels.split(", ")}
        assert grouped <= set.union(*(SERIES[metric] for metric, _ in named)), expression


def test_the_status_panel_shows_every_status() -> None:
    panel = next(panel for panel in _board()["panels"] if panel["title"].startswith("Status"))
    (expression,) = _values(panel["targets"], "expr")
    ranks = {status: rank for rank, status in re.findall(r'(\d) \* sum.*?status="(\w+)"', expression)}
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    assert ranks == {shown["text"]: rank for rank, shown in mapping["options"].items()}
    assert ranks.keys() == {status.value for status in DayStatus}


def test_the_panels_have_ids_of_their_own_and_ratios_are_drawn_as_such() -> None:
    panels = _board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        is_ratio = any("_ratio" in expression for expression in _values(panel["targets"], "expr"))
        assert (panel["fieldConfig"]["defaults"]["unit"] == "percentunit") is is_ratio


@pytest.mark.parametrize(
    ("needed", "part"),
    [
        ("the snapshot is too old", "telemetry_quality_day_age_seconds >"),
        ("a day is overdue", "telemetry_quality_day_is_overdue == 1"),
        ("a critical incident is open", 'level="CRITICAL", state="raised"} > 0'),
        ("the dashboard is down", "absent(telemetry_quality_build_info)"),
        ("the store cannot be read", "telemetry_quality_store_is_readable == 0"),
    ],
)
def test_there_is_a_rule_for(needed: str, part: str) -> None:
    assert [rule["alert"] for rule in _rules() if part in rule["expr"]], needed


def test_every_rule_waits_has_a_severity_and_says_what_to_do() -> None:
    for rule in _rules():
        assert re.fullmatch(r"\d+[mhd]", rule["for"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        text = " ".join(rule["annotations"].values())
        assert rule["annotations"].keys() == {"summary", "description"}
        named = set(re.findall(r"\$labels\.(\w+)", text))
        metrics = re.findall(r"telemetry_quality_\w+", rule["expr"])
        assert named <= set.union(*(SERIES[metric] for metric in metrics))
    names = [rule["alert"] for rule in _rules()]
    assert len(set(names)) == len(names)
