"""Event roles and the sums of a day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.event_schema import Rate
from telemetry_quality.core.events import AggregateRow, DayAggregates, Slice, SliceCounts, Totals
from telemetry_quality.errors import StoreError
from telemetry_quality_tests.builders import SCHEMA, each_hour, make_row, row_order, spread


@pytest.mark.parametrize(
    "version",
    [
        None,
        "",
        "   ",
        "\t\n",
        "unknown",
        "UNKNOWN",
        " Unknown ",
        "unknown_service",
        "unknown_service:java",
        "Unknown_Service:Node",
        "(not set)",
        "(NOT SET)",
        "undefined",
        "null",
        "NULL",
        "None",
        "NaN",
        "<nil>",
        "<NA>",
        "N/A",
        "n/a",
        "#N/A",
        "-",
        "--",
        '""',
        "{}",
        "?",
        "0.0.0",
        "V0.0.0",
        "0.0.0-PLACEHOLDER",
        "unspecified",
        "(devel)",
        "${project.version}",
        "@VERSION@",
        "$(MARKETING_VERSION)",
        "{{ version }}",
        "%APP_VERSION%",
        "__VERSION__",
        "__HIVE_DEFAULT_PARTITION__",
    ],
)
def test_a_version_that_names_no_release_is_missing(version: str | None) -> None:
    assert SCHEMA.is_missing_version(version)


@pytest.mark.parametrize(
    "version",
    [
        *(
            "1.0",
            "0",
            "0.0",
            "0.0.1",
            "0.0.0.1",
            "1.0.0.0",
            "10.0.0",
            "0.0.0-20200804184101-5ec99f83aff1",
            "-1.0",
            "-2",
        ),
        *(
            "unknown-1",
            "unknown2",
            "my unknown",
            "nullable",
            "none-such",
            "nano",
            "nan1",
            "dev",
            "latest",
            "1.0-SNAPSHOT",
        ),
        *("@scope/app@1.2.3", "${a}1", "(1.0)", "5 %", "a@b", "$1", "версия", "第3版", "<1.0>", "__init"),
    ],
)
def test_a_version_that_merely_looks_odd_is_present(version: str) -> None:
    assert not SCHEMA.is_missing_version(version)


def test_a_configured_list_replaces_the_default_texts() -> None:
    schema = replace(SCHEMA, missing_versions=("DEV", "snapshot-*"))

    assert schema.is_missing_version("dev")
    assert schema.is_missing_version("SNAPSHOT-17")
    assert schema.is_missing_version("snapshot-")
    assert not schema.is_missing_version("snapshot")
    assert not schema.is_missing_version("dev-1")
    assert not schema.is_missing_version("unknown")


def test_a_star_matches_any_text_wherever_it_is_in_a_pattern() -> None:
    schema = replace(SCHEMA, missing_versions=("*-snapshot", "a*c*e", "1.+"))

    assert all(map(schema.is_missing_version, ("1.0-SNAPSHOT", "-snapshot", "ace", "abcde", "a\nc\ne", "1.+")))
    assert not any(map(schema.is_missing_version, ("snapshot", "1.0-snapshot1", "aec", "ac", "1.1")))


@pytest.mark.parametrize("version", [None, "", "  ", "-", "\u200b"])
def test_what_has_no_letter_or_digit_is_missing_even_when_no_text_is_listed(version: str | None) -> None:
    assert replace(SCHEMA, missing_versions=()).is_missing_version(version)


DAY_OF_THREE = DayAggregates(
    (
        make_row(hour=9, events=10, errors=1, missing_version=2, late_events=3, missing_critical=(1, 0)),
        make_row(
            hour=0,
            event_name="checkout",
            service_version="2.0",
            events=40,
            errors=4,
            error_unknown_events=5,
            missing_critical=(2, 7),
        ),
        make_row(hour=9, event_name=None, service_version=None, events=50, missing_version=50, missing_critical=(0, 0)),
    ),
    critical_fields=("user_id", "amount"),
)


def test_a_day_is_the_sum_of_its_rows() -> None:
    assert DAY_OF_THREE.totals() == Totals(
        events=100, errors=5, error_unknown_events=5, missing_version=52, late_events=3
    )
    assert DAY_OF_THREE.totals().error_rate_percent == 5.0
    assert DAY_OF_THREE.totals().missing_version_percent == 52.0


def test_a_roll_up_by_signal_puts_the_busiest_first_and_includes_events_without_a_name() -> None:
    rolled_up = DAY_OF_THREE.by_signal()

    assert [(name, totals.events) for name, totals in rolled_up.items()] == [
        ("(null)", 50),
        ("checkout", 40),
        ("page.view", 10),
    ]
    assert rolled_up["checkout"] == Totals(events=40, errors=4, error_unknown_events=5)


def test_a_roll_up_by_version_puts_the_busiest_first_and_includes_events_without_a_version() -> None:
    assert {name: totals.events for name, totals in DAY_OF_THREE.by_version().items()} == {
        "(null)": 50,
        "2.0": 40,
        "1.0": 10,
    }
    assert list(DAY_OF_THREE.by_version()) == ["(null)", "2.0", "1.0"]


def test_equally_busy_signals_are_ordered_by_name() -> None:
    day = DayAggregates((make_row(event_name="b"), make_row(event_name="a"), make_row(event_name="")))

    assert list(day.by_signal()) == ["", "a", "b"]


def test_a_roll_up_by_hour_is_in_order_and_leaves_out_silent_hours() -> None:
    assert {hour: totals.events for hour, totals in DAY_OF_THREE.by_hour().items()} == {0: 40, 9: 60}
    assert list(DAY_OF_THREE.by_hour()) == [0, 9]


def test_no_roll_up_loses_or_doubles_an_event() -> None:
    for rolled_up in (DAY_OF_THREE.by_signal(), DAY_OF_THREE.by_version()):
        assert sum(totals.events for totals in rolled_up.values()) == 100
        assert sum(totals.errors for totals in rolled_up.values()) == 5


def test_the_signals_of_a_day_are_its_names_without_null() -> None:
    assert DAY_OF_THREE.signals() == {"page.view", "checkout"}


def test_missing_critical_values_are_summed_per_field() -> None:
    assert DAY_OF_THREE.missing_critical() == {"user_id": 3, "amount": 7}


def test_a_rate_is_counted_and_so_are_the_events_it_is_a_share_of_unless_they_are_all() -> None:
    rates = Rate("diverted", "is_diverted"), Rate("late", "delay > 15", of="is_arrival"), Rate("ghost", "crew = 0")
    assert replace(SCHEMA, rates=rates).rate_counts == ("diverted", "late", "late.of", "ghost")
    assert SCHEMA.rate_counts == ()


def test_rate_counts_are_summed_per_name() -> None:
    rows = make_row(rate_counts=(1, 2)), make_row(event_name="b", rate_counts=(3, 40))
    assert DayAggregates(rows, (), ("late", "late.of")).rate_counts() == {"late": 4, "late.of": 42}


def test_counts_of_slices_are_added_and_scaled_with_those_of_their_rates() -> None:
    counts = SliceCounts(10, 5, 1, (4, 7))
    assert counts.plus(SliceCounts(1, 2, 3, (4, 5))) == SliceCounts(11, 7, 4, (8, 12))
    assert counts.scaled(0.5) == SliceCounts(5, 2, 0, (2, 4))
    assert counts.plus(counts.scaled(-1)) == SliceCounts(0, 0, 0, (0, 0))


def test_an_empty_day_has_zero_events_and_no_rates() -> None:
    empty = DayAggregates().totals()

    assert empty == Totals()
    assert empty.error_rate_percent is None
    assert empty.missing_version_percent is None
    assert DayAggregates().by_signal() == {}
    assert DayAggregates().missing_critical() == {}
    assert DayAggregates().rate_counts() == {}


@pytest.mark.parametrize(
    ("totals", "rate"),
    [
        (Totals(events=10, error_unknown_events=10), None),
        (Totals(events=10, error_unknown_events=9), 0.0),
        (Totals(events=10, errors=1, error_unknown_events=9), 10.0),
        (Totals(events=10), 0.0),
        (Totals(events=10, errors=10), 100.0),
    ],
)
def test_the_error_rate_is_unknown_only_if_no_event_says_whether_it_is_an_error(
    totals: Totals, rate: float | None
) -> None:
    assert totals.error_rate_percent == rate


def test_a_slice_names_its_conditions() -> None:
    assert Slice("platform", None).parts == (("platform", None),)
    assert Slice("platform", "ios", "hour", "7").parts == (("platform", "ios"), ("hour", "7"))


def test_slices_have_one_order_in_which_null_comes_before_empty() -> None:
    ordered = [
        Slice("platform", None),
        Slice("platform", ""),
        Slice("platform", "", "event_name", None),
        Slice("platform", "", "event_name", ""),
        Slice("platform", "", "event_name", "a"),
        Slice("platform", "ios"),
    ]

    assert sorted(ordered[3:] + ordered[2::-1], key=lambda ordered_slice: ordered_slice.order) == ordered


hours = st.lists(st.integers(0, 24), min_size=1, max_size=25, unique=True)
counts = st.integers(0, 3)


@st.composite
def rows_of_single_hours(draw: st.DrawFn) -> list[AggregateRow]:
    """The rows of a day with a few names and versions, two critical fields and two rate counts."""
    rows = []
    for name in draw(st.lists(st.sampled_from([None, "", "a", "b"]), unique=True)):
        for version in draw(st.lists(st.sampled_from([None, "1", "2"]), unique=True)):
            for hour in draw(hours):
                events = draw(st.integers(1, 9))
                rows.append(
                    AggregateRow(
                        hour,
                        name,
                        version,
                        events,
                        draw(counts),
                        draw(counts),
                        0 if version else events,
                        (draw(counts), draw(counts)),
                        draw(counts),
                        (draw(counts), draw(counts)),
                    )
                )
    return rows


@given(rows_of_single_hours())
def test_a_row_of_many_hours_equals_a_row_for_each_hour(rows: list[AggregateRow]) -> None:
    fields, rates = ("user_id", "session"), ("diverted", "diverted.of")
    groups: dict[tuple[str | None, str | None], list[AggregateRow]] = {}
    for row in rows:
        groups.setdefault((row.event_name, row.service_version), []).append(row)
    together = DayAggregates(
        tuple(spread(*group, critical_fields=fields, rate_names=rates) for group in groups.values()), fields, rates
    )
    single = DayAggregates(tuple(sorted(rows, key=row_order)), fields, rates)
    assert each_hour(together) == single.rows
    assert together.totals() == single.totals()
    assert together.by_hour() == single.by_hour()
    assert together.by_signal() == single.by_signal()
    assert together.by_version() == single.by_version()
    assert together.missing_critical() == single.missing_critical()
    assert together.rate_counts() == single.rate_counts()
    assert together.signals() == single.signals()


@pytest.mark.parametrize("text", ["{", "[1]", "7", '{"hours":[1]}', '{"events":[1]}', '{"hours":[1],"events":[1]},'])
def test_damaged_hours_are_reported_in_a_sentence(text: str) -> None:
    whole = spread(make_row(hour=1), make_row(hour=2))
    aggregates = DayAggregates((whole, whole._replace(by_hour=text)))
    with pytest.raises(StoreError, match="run telemetry-quality verify"):
        aggregates.by_hour()
    assert aggregates.totals().events == 400


def test_an_hour_of_a_day_has_the_counts_of_that_hour_alone() -> None:
    busy = spread(
        make_row(hour=3, events=10, errors=2, late_events=1, missing_version=10),
        make_row(hour=5, events=7, error_unknown_events=3, missing_version=7),
        critical_fields=(),
    )
    day = DayAggregates((busy, make_row(hour=5, event_name="order", events=4, errors=1)))
    (third,) = day.at_hour(3)
    assert (third.events, third.errors, third.late_events, third.missing_version) == (10, 2, 1, 10)
    fifth = {row.event_name: row[3:7] for row in day.at_hour(5)}
    assert fifth == {"page.view": (7, 0, 3, 7), "order": (4, 1, 0, 0)}
    assert day.at_hour(4) == ()
