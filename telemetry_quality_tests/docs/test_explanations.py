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
