"""The figures of the explanations are those of the code."""

from __future__ import annotations

import re

from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.root_cause.answer import SAME_RATIO
from telemetry_quality.core.root_cause.wording import HELD_PERCENT
from telemetry_quality.core.sampling import clopper_pearson_percent
from telemetry_quality_tests.docs.walk import DOCS

DEFAULTS = policy_of().values


def text_of(name: str) -> str:
    return " ".join((DOCS / "explanation" / f"{name}.md").read_text(encoding="utf-8").split())


def test_the_intervals_of_the_sample_are_those_that_verdicts_state() -> None:
    page = (DOCS / "explanation" / "sample-of-100.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) to ([\d.]+) % \|$", page, flags=re.MULTILINE)
    assert len(rows) == 5
    for passed, low, high in rows:
        computed = clopper_pearson_percent(int(passed), 100)
        assert (low, high) == tuple(f"{end:.1f}" for end in computed)
    assert f"compatible with {100 - clopper_pearson_percent(100, 100)[0]:.1f} % bad events" in text_of("sample-of-100")


def test_how_often_a_sample_sees_a_rare_fault_is_computed() -> None:
    seen = {share: round(100 * (1 - (1 - share / 100) ** 100)) for share in (1, 0.1)}
    assert f"1 % of the events is seen by {seen[1]} samples of 100, one in 0.1 % by {seen[0.1]}" in text_of(
        "sample-of-100"
    )
    two_or_more = 1 - 0.995**100 - 100 * 0.005 * 0.995**99
    assert f"bad events on {100 * two_or_more:.0f} days of 100" in text_of("sample-of-100")


def test_thresholds_on_the_pages_are_the_defaults() -> None:
    assert f"more than {DEFAULTS['volume_deviation_percent']:g} % away from the baseline" in text_of("baselines")
    assert f"more than {DEFAULTS['missing_hours_percent']:g} % of the day's events are missing" in text_of("hours")
    assert f"more than {DEFAULTS['error_burst_percent']:g} % of the events of some hours are errors" in text_of("hours")
    assert f"better than the {DEFAULTS['sample_success_percent']:g} % that the guardrail asks for" in text_of(
        "sample-of-100"
    )
    assert DEFAULTS["sample_size"] == 100


def test_a_root_cause_holds_as_much_as_the_page_says() -> None:
    assert f"If no segment holds {HELD_PERCENT:g} % of the change" in text_of("root-cause")
    assert SAME_RATIO == 0.9, "nine tenths"


def _rows(page: str) -> dict[str, list[str]]:
    """The rows of all tables of a page by their first cell; the first row of that name."""
    found: dict[str, list[str]] = {}
    for line in (DOCS / "explanation" / f"{page}.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            found.setdefault(name, cells)
    return found


def test_the_comparison_quotes_speed_and_memory_as_they_were_measured() -> None:
    quoted, measured = _rows("comparison"), _rows("performance")
    names = [name for name in quoted if name in measured and len(quoted[name]) == 3 and name != "tool"]
    assert len(names) == 6
    for name in names:
        process, ours, _, peak, *_ = measured[name]
        assert quoted[name] == [process, ours, peak], name


def test_the_comparison_quotes_detection_as_it_was_measured() -> None:
    quoted, measured = _rows("comparison"), _rows("detection")
    names = [name for name in quoted if name in measured and len(quoted[name]) == 2 and name != "method"]
    assert len(names) == 5
    for name in names:
        alarms, _, _, _, _, halved, *_ = measured[name]
        assert quoted[name] == [alarms.split(" / ")[0], halved], name
