"""The sampling verifier: what is wrong with an event, and what a sample proves about its day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.events import SampledEvent
from telemetry_quality.core.sampling import (
    LEARNING_DAYS,
    SampleVerdict,
    clopper_pearson_percent,
    count_verified,
    signals_seen_before,
    verify_sample,
)
from telemetry_quality_tests.builders import DAY, SCHEMA, make_row, make_scan

names = st.sampled_from("abcdef")

HEALTHY = SampledEvent("e1", "page.view", "1.0")


@pytest.mark.parametrize(
    ("event", "reason_codes"),
    [
        (HEALTHY, ()),
        (SampledEvent(None, "page.view", "1.0"), ("MISSING_EVENT_ID",)),
        (SampledEvent("e1", None, "1.0"), ("MISSING_EVENT_NAME",)),
        (SampledEvent("e1", "", "1.0"), ("MISSING_EVENT_NAME",)),
        (SampledEvent("e1", "  ", "1.0"), ("MISSING_EVENT_NAME",)),
        (SampledEvent("e1", "page.veiw", "1.0"), ("UNKNOWN_SIGNAL",)),
        (SampledEvent("e1", "Page.View", "1.0"), ("UNKNOWN_SIGNAL",)),
        (SampledEvent("e1", "page.view", None), ("MISSING_VERSION",)),
        (SampledEvent("e1", "page.view", "unknown_service:java"), ("MISSING_VERSION",)),
        (SampledEvent("e1", "page.view", "1.0", ("user_id",)), ("MISSING_CRITICAL_FIELD:user_id",)),
        (
            SampledEvent(None, "page.veiw", "", ("user_id", "amount")),
            (
                "MISSING_EVENT_ID",
                "UNKNOWN_SIGNAL",
                "MISSING_VERSION",
                "MISSING_CRITICAL_FIELD:user_id",
                "MISSING_CRITICAL_FIELD:amount",
            ),
        ),
    ],
)
def test_every_mistake_of_an_event_has_a_reason_code(event: SampledEvent, reason_codes: tuple[str, ...]) -> None:
    (verdict,) = verify_sample([event], SCHEMA, {"page.view"})

    assert verdict == SampleVerdict(event.event_id, reason_codes)
    assert verdict.passed is (not reason_codes)


def test_events_that_would_pass_are_those_with_a_known_name_and_a_version_that_are_complete() -> None:
    scan = make_scan(
        DAY,
        make_row(events=50),
        make_row(event_name=None, events=1),
        make_row(event_name=" ", events=2),
        make_row(event_name="page.veiw", events=4),
        make_row(service_version="unknown", events=8),
        make_row(service_version="2.0", events=16),
        incomplete_events={("page.view", "1.0"): 5, ("page.veiw", "1.0"): 1, ("page.view", "unknown"): 8},
    )

    assert count_verified(scan, SCHEMA, {"page.view"}) == 45 + 16
    assert count_verified(scan, SCHEMA, None) == 45 + 16 + 3
    assert count_verified(replace(scan, incomplete_events=None), SCHEMA, None) is None


def test_missing_ids_are_no_mistake_in_a_stream_without_ids() -> None:
    (verdict,) = verify_sample([SampledEvent(None, "page.view", None)], replace(SCHEMA, event_id=None), None)

    assert verdict == SampleVerdict(None, ("MISSING_VERSION",))


def test_no_name_is_unknown_while_the_catalogue_is_being_learnt() -> None:
    (verdict,) = verify_sample([SampledEvent("e1", "never.seen", "1.0")], SCHEMA, None)

    assert verdict.passed


def test_every_name_is_unknown_to_an_empty_catalogue() -> None:
    (verdict,) = verify_sample([HEALTHY], SCHEMA, frozenset())

    assert verdict.reason_codes == ("UNKNOWN_SIGNAL",)


def test_an_event_without_a_name_fails_even_while_the_catalogue_is_being_learnt() -> None:
    (verdict,) = verify_sample([SampledEvent("e1", None, "1.0")], SCHEMA, None)

    assert verdict.reason_codes == ("MISSING_EVENT_NAME",)


def test_each_sampled_event_has_its_own_verdict_in_order() -> None:
    verdicts = verify_sample([SampledEvent("b", "page.view", None), HEALTHY], SCHEMA, None)

    assert [(verdict.event_id, verdict.passed) for verdict in verdicts] == [("b", False), ("e1", True)]
    assert verify_sample([], SCHEMA, None) == ()


@pytest.mark.parametrize(
    ("days_since_the_first", "known"),
    [
        (LEARNING_DAYS - 1, None),
        (LEARNING_DAYS, frozenset({"page.view"})),
        (LEARNING_DAYS + 1, frozenset({"page.view"})),
    ],
)
def test_names_are_only_learnt_until_the_learning_days_are_over(
    days_since_the_first: int, known: frozenset[str] | None
) -> None:
    assert signals_seen_before(DAY, {"page.view": DAY - timedelta(days=days_since_the_first)}) == known


def test_learning_takes_a_week() -> None:
    assert LEARNING_DAYS == 7


def test_nothing_is_known_before_the_first_day() -> None:
    assert signals_seen_before(DAY, {}) is None


def test_names_first_seen_on_the_day_itself_or_later_are_not_known_yet() -> None:
    first_seen = {
        "old": DAY - timedelta(days=30),
        "yesterday": DAY - timedelta(days=1),
        "today": DAY,
        "tomorrow": DAY + timedelta(days=1),
    }

    assert signals_seen_before(DAY, first_seen) == frozenset({"old", "yesterday"})


@settings(deadline=None)
@given(
    st.dictionaries(names, st.dates(date(2026, 1, 1), date(2026, 3, 9)), max_size=5),
    st.dictionaries(names, st.dates(date(2026, 3, 10), date(2026, 12, 31)), max_size=5),
)
def test_what_is_known_of_a_day_never_depends_on_that_day_or_later_ones(
    earlier: dict[str, date], later: dict[str, date]
) -> None:
    assert signals_seen_before(DAY, {**later, **earlier}) == signals_seen_before(DAY, earlier)


def share_of_samples(passed: int, size: int, share: Decimal) -> float:
    """The share of samples of ``size`` that have at most ``passed`` good events if ``share`` of the day is good."""
    likelihood = total = (1 - share) ** size
    for k in range(passed):
        likelihood *= Decimal(size - k) / (k + 1) * share / (1 - share)
        total += likelihood
    return float(total)


def assert_exact(passed: int, size: int, confidence: float) -> None:
    """At either limit, a sample as good or as bad has half of the probability outside the confidence level."""
    lower, upper = clopper_pearson_percent(passed, size, confidence)
    tail = (1 - confidence) / 2
    with localcontext(prec=50):
        if passed < size:
            assert share_of_samples(passed, size, Decimal(upper) / 100) == pytest.approx(tail, rel=1e-7)
        if passed:
            share_of_bad = 1 - Decimal(lower) / 100
            assert share_of_samples(size - passed, size, share_of_bad) == pytest.approx(tail, rel=1e-7)
    assert (lower == 0) is (passed == 0)
    assert (upper == 100) is (passed == size)
    assert lower <= 100 * passed / size <= upper


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_interval_is_the_exact_one_of_clopper_and_pearson(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1000), label="size")
    passed = data.draw(st.one_of(st.integers(0, size), st.sampled_from([0, size])), label="passed")
    assert_exact(passed, size, data.draw(st.sampled_from([0.8, 0.95, 0.99]), label="confidence"))


@settings(deadline=None, max_examples=20)
@given(size=st.integers(10_000, 100_000), few=st.integers(0, 50))
def test_the_interval_of_a_large_sample_is_exact_and_symmetric(size: int, few: int) -> None:
    assert_exact(few, size, 0.95)
    lower, upper = clopper_pearson_percent(few, size)
    assert clopper_pearson_percent(size - few, size) == pytest.approx((100 - upper, 100 - lower), abs=1e-9)


@settings(deadline=None)
@given(size=st.integers(2, 400), passed=st.integers(0, 399))
def test_one_more_good_event_raises_both_limits(size: int, passed: int) -> None:
    passed %= size
    lower, upper = clopper_pearson_percent(passed, size)
    more_lower, more_upper = clopper_pearson_percent(passed + 1, size)
    assert lower < more_lower
    assert upper < more_upper


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_limit_of_a_clean_sample_is_a_root(size: int, confidence: float) -> None:
    """If all of n passed, the lower limit is the n-th root of half of the probability outside the confidence level."""
    root = ((1 - confidence) / 2) ** (1 / size)
    assert clopper_pearson_percent(size, size, confidence) == pytest.approx((100 * root, 100.0), abs=1e-9)


@pytest.mark.parametrize(
    ("passed", "size", "lower", "upper"),
    [(100, 100, 96.38, 100.0), (99, 100, 94.55, 99.97), (0, 100, 0.0, 3.62), (1, 1, 2.5, 100.0)],
)
def test_the_interval_has_its_published_values_at_95_percent(
    passed: int, size: int, lower: float, upper: float
) -> None:
    assert clopper_pearson_percent(passed, size) == pytest.approx((lower, upper), abs=0.005)


@pytest.mark.parametrize(("passed", "size"), [(0, 0), (-1, 10), (11, 10), (1, 0)])
def test_an_impossible_sample_has_no_interval(passed: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"not {passed} of {size}"):
        clopper_pearson_percent(passed, size)
