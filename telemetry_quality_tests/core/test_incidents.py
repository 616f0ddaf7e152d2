from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.days import days_between
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Cause, Level, Outcome, Place, Verdict
from telemetry_quality.core.incidents import (
    EVERYWHERE,
    UNREADABLE,
    Act,
    FailedGuardrail,
    Incident,
    IncidentAct,
    confirmed_days,
    failures_of,
    group_incidents,
    incidents_of,
    is_muted,
    require_incident,
)
from telemetry_quality.core.ports import JudgedDay
from telemetry_quality.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST = date(2026, 3, 1)
NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
TODAY = NOW.date()
MARCH = list(days_between(FIRST, date(2026, 3, 19)))
IOS, WEB = "platform=ios", "platform=web"
IOS_VIEWS = "platform=ios × event_name=page.view"


def day(number: int) -> date:
    return date(2026, 3, number)


def fail(number: int, guardrail: str = "error_rate", cause: str = EVERYWHERE, **overrides: Any) -> FailedGuardrail:
    """``guardrail`` failed on that day of March, ten times over its threshold."""
    one = FailedGuardrail(
        day=day(number),
        guardrail=guardrail,
        level=Level.CRITICAL,
        reason_code="ERROR_RATE_HIGH",
        value=50.0,
        threshold=5.0,
        sentence=f"{guardrail} failed in {cause}.",
        cause=cause,
        foremost="" if cause in {EVERYWHERE, UNREADABLE} else cause,
        is_confined=cause not in {EVERYWHERE, UNREADABLE},
        revision=2,
    )
    return replace(one, **overrides)


def unreadable(number: int) -> FailedGuardrail:
    return fail(number, "activity", UNREADABLE, reason_code=DAY_UNREADABLE, value=None, threshold=None)


def group(
    failures: Iterable[FailedGuardrail], judged: Iterable[date] = MARCH, acts: Sequence[IncidentAct] = ()
) -> list[Incident]:
    return group_incidents("web", failures, list(judged), acts)


def shape(incidents: Iterable[Incident]) -> list[tuple[list[int], list[str]]]:
    """Of each incident its days of March and its guardrails."""
    return [([one.day for one in incident.days], sorted(incident.guardrails)) for incident in incidents]


def make_verdict(guardrail: str = "error_rate", *causes: Cause, **overrides: Any) -> Verdict:
    one = Verdict(guardrail, Level.CRITICAL, Outcome.FAILED, "ERROR_RATE_HIGH", 50.0, 5.0, "Half are errors.", causes)
    return replace(one, **overrides)


def place(text: str, share: float | None, hours: tuple[int, int] | None = None) -> Cause:
    named = text.split(" × ") if text else []
    parts = tuple((name, value) for name, _, value in (one.partition("=") for one in named))
    return Cause(Place(parts, hours), 1.0, 2.0, share)


USER_ID = "user_id=(null)"


@pytest.mark.parametrize(
    ("causes", "cause", "foremost", "is_confined"),
    [
        ((), EVERYWHERE, "", False),
        ((place(IOS, 49.9),), EVERYWHERE, IOS, False),
        ((place(IOS, 50.0),), IOS, IOS, False),
        ((place(IOS, 79.9),), IOS, IOS, False),
        ((place(IOS, 80.0), place(WEB, 20.0)), IOS, IOS, True),
        ((place(IOS, None),), IOS, IOS, True),
        ((place(IOS, 80.0, (3, 5)),), IOS, IOS, True),
        ((place(IOS_VIEWS, 60.0),), IOS_VIEWS, IOS_VIEWS, False),
        ((place("", 100.0, (3, 5)),), EVERYWHERE, EVERYWHERE, True),
        ((place("", 40.0),), EVERYWHERE, EVERYWHERE, False),
        ((place("", None),), EVERYWHERE, "", False),
        ((Cause(Place((("user_id", None),)), 1.0, 2.0), place(IOS, 90.0)), USER_ID, IOS, True),
        ((Cause(Place((("user_id", None),)), 1.0, 2.0), place(IOS, 40.0)), USER_ID, IOS, False),
    ],
)
def test_the_cause_is_the_place_that_explains_most_whatever_the_hour(
    causes: tuple[Cause, ...], cause: str, foremost: str, is_confined: bool
) -> None:
    (one,) = failures_of(FIRST, 2, [make_verdict("error_rate", *causes)])
    assert (one.cause, one.foremost, one.is_confined, one.revision) == (cause, foremost, is_confined, 2)


def test_only_failures_count_and_a_day_that_could_not_be_read_counts_once() -> None:
    passed = make_verdict(outcome=Outcome.PASSED)
    unknown = make_verdict("volume", outcome=Outcome.UNKNOWN, reason_code="HISTORY_TOO_SHORT")
    assert failures_of(FIRST, 1, [passed, unknown]) == []
    nothing = [
        make_verdict(name, outcome=Outcome.UNKNOWN, reason_code=DAY_UNREADABLE, value=None)
        for name in ("activity", "error_rate", "volume")
    ]
    (one,) = failures_of(FIRST, 1, nothing)
    assert (one.guardrail, one.cause, one.times_threshold()) == ("activity", UNREADABLE, inf)


def test_one_cause_that_raises_two_guardrails_over_consecutive_days_is_one_incident() -> None:
    """As cancelled flights do: errors and missing versions on the same days, blamed now on one airport, now on none."""
    blamed = {8: "origin=EWR", 9: EVERYWHERE, 10: "origin=LGA", 11: "origin=EWR"}
    failures = [fail(number, name, cause) for number, cause in blamed.items() for name in ("error_rate", "sample")]
    failures += [fail(number, "missing_version", cause, level=Level.WARNING) for number, cause in blamed.items()]
    (incident,) = group(failures)
    assert incident.key == "web/2026-03-08"
    assert (incident.first_day, incident.last_day, len(incident.days)) == (day(8), day(11), 4)
    assert {name: len(days) for name, days in incident.guardrails.items()} == dict.fromkeys(
        ("error_rate", "missing_version", "sample"), 4
    )
    assert (incident.level, incident.cause, incident.is_open) == (Level.CRITICAL, "origin=EWR", False)


def test_what_was_one_incident_yesterday_is_not_two_because_its_parts_moved_apart() -> None:
    together = [fail(8, "error_rate", IOS), fail(8, "missing_version", IOS)]
    apart = [fail(9, "error_rate", IOS), fail(9, "missing_version", WEB)]
    assert shape(group(together + apart)) == [([8, 9], ["error_rate", "missing_version"])]
    assert shape(group(apart)) == [([9], ["error_rate"]), ([9], ["missing_version"])]


def test_two_unrelated_causes_on_one_day_are_two_incidents_the_highest_level_first() -> None:
    failures = [fail(8, "volume", WEB, level=Level.INFO), fail(8, "error_rate", IOS), fail(9, "volume", WEB)]
    found = group(failures)
    assert shape(found) == [([8], ["error_rate"]), ([8, 9], ["volume"])]
    assert [one.key for one in found] == ["web/2026-03-08", "web/2026-03-08.2"]


def test_a_later_day_changes_no_key() -> None:
    begun = [fail(8, "volume", WEB, level=Level.INFO), fail(8, "silence", IOS, level=Level.WARNING)]
    keys = {one.cause: one.key for one in group(begun)}
    grown = group([*begun, *(fail(9, name, WEB) for name in ("volume", "error_rate", "sample"))])
    assert {one.cause: one.key for one in grown} == keys


@pytest.mark.parametrize(
    ("one", "other", "incidents"),
    [
        (IOS, IOS, 1),
        (IOS, WEB, 2),
        (IOS, IOS_VIEWS, 1),
        (IOS_VIEWS, "event_name=page.view × platform=ios", 1),
        (WEB, IOS_VIEWS, 2),
        ("platform=io", IOS, 2),
        (EVERYWHERE, EVERYWHERE, 1),
    ],
)
def test_places_share_a_cause_where_one_lies_within_the_other(one: str, other: str, incidents: int) -> None:
    assert len(group([fail(8, "error_rate", one), fail(8, "volume", other)])) == incidents


def loose(number: int, guardrail: str, foremost: str) -> FailedGuardrail:
    """A failure that names a place first, though it happened elsewhere too."""
    return fail(number, guardrail, EVERYWHERE, foremost=foremost)


def test_what_is_confined_to_no_place_goes_together_whatever_it_names_first() -> None:
    assert len(group([loose(8, "error_rate", IOS), loose(8, "missing_version", WEB), fail(8, "sample")])) == 1


def test_what_is_confined_to_no_place_joins_the_only_place_there_is() -> None:
    for other in (loose(8, "missing_version", WEB), fail(8, "sample")):
        assert shape(group([fail(8, "error_rate", IOS), other])) == [([8], sorted(["error_rate", other.guardrail]))]


def test_of_two_places_it_joins_the_one_it_names_and_else_neither() -> None:
    two = [fail(8, "error_rate", IOS), fail(8, "volume", WEB)]
    assert shape(group([*two, fail(8, "sample")])) == [([8], ["error_rate"]), ([8], ["sample"]), ([8], ["volume"])]
    named = group([*two, loose(8, "missing_version", WEB)])
    assert shape(named) == [([8], ["missing_version", "volume"]), ([8], ["error_rate"])]
    spread = fail(8, "duplicates", EVERYWHERE, foremost=EVERYWHERE, is_confined=True)
    assert ([8], ["duplicates", "sample"]) in shape(group([*two, spread, fail(8, "sample")]))


def test_what_is_spread_evenly_is_another_cause_than_what_is_confined_to_a_place() -> None:
    spread = fail(8, "duplicates", EVERYWHERE, foremost=EVERYWHERE, is_confined=True)
    assert len(group([spread, fail(8, "silence", IOS)])) == 2
    assert len(group([spread, replace(spread, guardrail="error_rate")])) == 1


def test_on_a_day_without_events_everything_has_one_cause() -> None:
    failures = [
        fail(8, "activity"),
        fail(8, "volume", EVERYWHERE, foremost=EVERYWHERE, is_confined=True),
        fail(8, "silence", IOS),
    ]
    assert shape(group(failures)) == [([8], ["activity", "silence", "volume"])]


@pytest.mark.parametrize(
    ("guardrail", "cause", "goes_on"),
    [
        ("error_rate", IOS, True),
        ("error_rate", WEB, True),
        ("error_rate", EVERYWHERE, True),
        ("volume", IOS, True),
        ("volume", IOS_VIEWS, True),
        ("volume", WEB, False),
    ],
)
def test_an_incident_goes_on_by_place_or_by_guardrail(guardrail: str, cause: str, goes_on: bool) -> None:
    found = group([fail(8, "error_rate", IOS), fail(9, guardrail, cause)])
    assert (len(found) == 1) is goes_on


def test_of_two_incidents_the_one_in_the_same_place_goes_on_and_the_other_ends() -> None:
    failures = [fail(8, "error_rate", IOS), fail(8, "volume", WEB), fail(9, "volume", IOS)]
    assert shape(group(failures)) == [([8, 9], ["error_rate", "volume"]), ([8], ["volume"])]


def test_a_day_that_passes_closes_an_incident_and_the_next_failure_is_another() -> None:
    found = group([fail(8), fail(9), fail(11)])
    assert shape(found) == [([8, 9], ["error_rate"]), ([11], ["error_rate"])]
    assert [one.is_open for one in found] == [False, False]


@pytest.mark.parametrize(("last_judged", "is_open"), [(8, True), (9, False)])
def test_an_incident_is_open_until_a_later_day_is_judged_otherwise(last_judged: int, is_open: bool) -> None:
    (incident,) = group([fail(8)], days_between(FIRST, day(last_judged)))
    assert incident.is_open is is_open


def test_a_day_that_was_not_judged_closes_nothing_and_is_no_failed_day() -> None:
    (incident,) = group([fail(8), fail(10)], [one for one in MARCH if one != day(9)])
    assert incident.days == (day(8), day(10))


def test_unreadable_days_are_an_incident_of_their_own_and_close_no_other() -> None:
    failures = [fail(8, "activity"), unreadable(9), unreadable(10), fail(11, "activity")]
    found = group(failures, days_between(FIRST, day(11)))
    assert shape(found) == [([8, 11], ["activity"]), ([9, 10], ["activity"])]
    assert [one.cause for one in found] == [EVERYWHERE, UNREADABLE]
    assert [one.is_open for one in found] == [True, False]


def test_a_failing_incident_stays_open_while_days_cannot_be_read() -> None:
    found = group([fail(8), unreadable(9)], days_between(FIRST, day(9)))
    assert [(one.cause, one.is_open) for one in found] == [(EVERYWHERE, True), (UNREADABLE, True)]


def test_earlier_failing_days_that_are_judged_later_join_the_incident() -> None:
    later = [fail(9), fail(10)]
    judged = list(days_between(day(9), day(12)))
    act = group(later, judged)[0].decide(Act.ACKNOWLEDGE, "ada", NOW)
    (grown,) = group([fail(7), fail(8), *later], [day(7), day(8), *judged], [act])
    assert (grown.key, grown.acknowledged_by) == ("web/2026-03-07", "ada")


@pytest.mark.parametrize(
    ("blamed", "cause"),
    [
        ([IOS, IOS, EVERYWHERE], IOS),
        ([IOS, EVERYWHERE, EVERYWHERE], EVERYWHERE),
        ([EVERYWHERE, IOS], IOS),
        ([IOS_VIEWS, IOS], IOS),
        ([WEB, IOS], IOS),
    ],
)
def test_the_cause_of_an_incident_is_the_one_blamed_on_most_days(blamed: list[str], cause: str) -> None:
    (incident,) = group(fail(8 + offset, cause=name) for offset, name in enumerate(blamed))
    assert incident.cause == cause


def test_failures_of_a_lower_level_do_not_change_the_cause() -> None:
    (incident,) = group([fail(8, cause=EVERYWHERE), fail(8, "missing_version", IOS, level=Level.WARNING)])
    assert (incident.cause, incident.level) == (EVERYWHERE, Level.CRITICAL)


@pytest.mark.parametrize(
    ("failure", "times"),
    [
        (fail(8, value=50.0, threshold=5.0), 10),
        (fail(8, "volume", value=-60.0, threshold=30.0), 2),
        (fail(8, "sample", value=90.0, threshold=99.0), 10),
        (fail(8, "sample", value=90.0, threshold=100.0), inf),
        (fail(8, "activity", value=0, threshold=0), inf),
        (fail(8, value=1.0, threshold=0.0), inf),
        (unreadable(8), inf),
    ],
)
def test_how_far_beyond_its_threshold_a_failure_is(failure: FailedGuardrail, times: float) -> None:
    assert failure.times_threshold() == pytest.approx(times)


def test_the_peak_is_the_farthest_failure_of_the_highest_level_the_first_of_equals() -> None:
    far_but_low = fail(8, "missing_version", level=Level.WARNING, value=90.0, threshold=1.0)
    failures = [far_but_low, fail(8, value=6.0), fail(9, value=20.0), fail(10, value=20.0)]
    (incident,) = group(failures)
    assert (incident.peak.day, incident.peak.guardrail) == (day(9), "error_rate")


def decided(incident: Incident, *acts: Act, by: str = "ada", until: date = TODAY) -> list[IncidentAct]:
    """One act after the other, a minute apart."""
    return [
        incident.decide(act, by, NOW + timedelta(minutes=minute), muted_until=until) for minute, act in enumerate(acts)
    ]


def test_acts_make_the_state_and_are_kept_with_who_when_and_why() -> None:
    failures, judged = [fail(8), fail(9)], list(days_between(FIRST, day(9)))
    (incident,) = group(failures, judged)
    assert incident.state_words(TODAY) == ("open",)
    acts = [
        incident.decide(Act.ACKNOWLEDGE, " ada ", NOW, note="a look"),
        incident.decide(Act.MUTE, "bob", NOW, muted_until=day(22)),
        incident.decide(Act.CONFIRM, "eve", NOW),
    ]
    (known,) = group(failures, judged, acts)
    assert known.acts == tuple(acts)
    assert (acts[0].by, acts[0].note, acts[0].acted_at) == ("ada", "a look", NOW)
    assert known.state_words(TODAY) == ("open", "acknowledged by ada", "muted until 2026-03-22", "confirmed")
    assert known.state_words(day(23)) == ("open", "acknowledged by ada", "confirmed")


def test_the_latest_act_of_its_kind_wins() -> None:
    (incident,) = group([fail(8)])
    first, second = decided(incident, Act.ACKNOWLEDGE)[0], decided(incident, Act.ACKNOWLEDGE, by="bob")[0]
    (known,) = group([fail(8)], acts=[first, second])
    assert known.acknowledged_by == "bob"
    short = decided(incident, Act.MUTE, until=day(30)) + decided(incident, Act.MUTE, until=day(21))
    (known,) = group([fail(8)], acts=short)
    assert known.muted_until == day(21)


@pytest.mark.parametrize(("today", "muted"), [(21, True), (22, True), (23, False)])
def test_an_incident_is_muted_up_to_its_date_included(today: int, muted: bool) -> None:
    (incident,) = group([fail(8)])
    (known,) = group([fail(8)], acts=decided(incident, Act.MUTE, until=day(22)))
    assert is_muted(known, day(today)) is muted
    assert not is_muted(incident, day(today))


@pytest.mark.parametrize("until", [TODAY - timedelta(days=1), None])
def test_muting_until_a_day_that_is_over_is_refused(until: date | None) -> None:
    (incident,) = group([fail(8)])
    with pytest.raises(RequestError, match=r"A day from 2026-03-20 .* is required to mute until"):
        incident.decide(Act.MUTE, "ada", NOW, muted_until=until)
    assert incident.decide(Act.MUTE, "ada", NOW, muted_until=TODAY).until == TODAY


def test_nobody_cannot_decide() -> None:
    (incident,) = group([fail(8)])
    with pytest.raises(RequestError, match="The name of who decides is required"):
        incident.decide(Act.CONFIRM, "  ", NOW)


def test_only_confirmed_days_are_left_out_and_a_dismissal_takes_them_back() -> None:
    failures = [fail(8), fail(9), fail(12)]
    first, second = group(failures)
    assert confirmed_days([first, second]) == frozenset()
    acts = decided(first, Act.CONFIRM)
    assert confirmed_days(group(failures, acts=acts)) == {day(8), day(9)}
    taken_back = decided(first, Act.CONFIRM, Act.DISMISS)
    known = group(failures, acts=taken_back)
    assert confirmed_days(known) == frozenset()
    assert known[0].state_words(TODAY) == ("closed", "dismissed")
    again = group(failures, acts=decided(first, Act.CONFIRM, Act.DISMISS, Act.CONFIRM))
    assert confirmed_days(again) == {day(8), day(9)}


def test_days_that_fail_after_a_confirmation_are_not_confirmed_by_it() -> None:
    failures = [fail(8), fail(9)]
    (incident,) = group(failures, days_between(FIRST, day(9)))
    acts = decided(incident, Act.CONFIRM)
    (grown,) = group([fail(7), *failures, fail(10)], acts=acts)
    assert grown.confirmed_days == (day(8), day(9))
    assert grown.state_words(TODAY) == ("closed", "confirmed for 2 of 4 days")
    assert confirmed_days(group([fail(7), *failures, fail(10)], acts=[*acts, *decided(grown, Act.CONFIRM)])) == {
        day(number) for number in (7, 8, 9, 10)
    }


def test_acts_survive_a_day_that_heals_and_hold_for_both_parts() -> None:
    failures = [fail(number) for number in (8, 9, 10)]
    (incident,) = group(failures, days_between(FIRST, day(10)))
    acts = decided(incident, Act.ACKNOWLEDGE, Act.CONFIRM, Act.MUTE)
    first, second = group([fail(8), fail(10), fail(11)], days_between(FIRST, day(11)), acts)
    assert (first.acknowledged_by, second.acknowledged_by) == ("ada", "ada")
    assert confirmed_days([first, second]) == {day(8), day(10)}
    assert is_muted(second, TODAY), "the part that goes on is the one that was muted"
    for gone in (8, 10):
        (shrunk,) = group([one for one in failures if one.day != day(gone)], acts=acts)
        assert shrunk.acknowledged_by == "ada"
        assert confirmed_days([shrunk]) == set(shrunk.days)


def test_acts_survive_another_top_cause() -> None:
    (incident,) = group([fail(8, cause=IOS)])
    acts = decided(incident, Act.ACKNOWLEDGE)
    for cause in (IOS_VIEWS, EVERYWHERE):
        (known,) = group([fail(8, cause=cause)], acts=acts)
        assert known.acts == tuple(acts), cause


def test_an_act_belongs_to_the_incident_whose_cause_fits() -> None:
    failures = [fail(8, "error_rate", IOS), fail(8, "volume", WEB, level=Level.INFO)]
    _, web = group(failures)
    ios, web = group(failures, acts=decided(web, Act.CONFIRM))
    assert (ios.is_confirmed, web.is_confirmed) == (False, True)


def test_an_act_belongs_to_one_of_two_incidents_that_were_in_the_same_place_on_different_days() -> None:
    moving = [fail(8, "error_rate", IOS), fail(9, "error_rate", WEB)]
    staying = fail(8, "volume", WEB, level=Level.INFO)
    _, web = group([moving[0], staying], [day(8)])
    found = group([*moving, staying], acts=decided(web, Act.ACKNOWLEDGE))
    assert [one.acknowledged_by for one in found] == [None, "ada"]


def test_an_act_whose_incident_vanished_is_not_given_to_a_stranger() -> None:
    ios, _ = group([fail(8, "error_rate", IOS), fail(8, "volume", WEB)])
    acts = decided(ios, Act.CONFIRM, Act.MUTE)
    for stranger in ([fail(8, "volume", WEB)], [unreadable(8)], [fail(9, "error_rate", IOS)]):
        (known,) = group(stranger, acts=acts)
        assert known.acts == ()


def test_a_new_incident_of_the_same_cause_is_not_muted_by_an_older_one() -> None:
    (incident,) = group([fail(8)])
    acts = decided(incident, Act.MUTE, until=day(31))
    older, newer = group([fail(8), fail(10)], acts=acts)
    assert (is_muted(older, TODAY), is_muted(newer, TODAY)) == (True, False)


def test_a_key_that_names_nothing_is_answered_with_the_one_that_was_meant() -> None:
    found = group([fail(7), fail(8)])
    assert require_incident(found, "web/2026-03-07") is found[0]
    for key in ("web/2026-03-08", "web/2026-03-07.3"):
        with pytest.raises(RequestError, match=rf"'{key}' names none; did you mean web/2026-03-07\?"):
            require_incident(found, key)
    with pytest.raises(RequestError, match="telemetry-quality incidents --all lists them"):
        require_incident(found, "web/2026-03-10")


def test_json_holds_days_peak_state_and_acts_in_json_s_own_types() -> None:
    (incident,) = group([fail(8), fail(9)])
    (known,) = group([fail(8), fail(9)], acts=decided(incident, Act.CONFIRM))
    shown = known.as_json(TODAY)
    assert list(shown)[:2] == ["source", "key"]
    assert shown["days"] == shown["confirmed_days"] == ["2026-03-08", "2026-03-09"]
    assert shown["guardrails"] == {"error_rate": ["2026-03-08", "2026-03-09"]}
    assert (shown["peak"]["day"], shown["peak"]["value"]) == ("2026-03-08", 50.0)
    assert (shown["is_open"], shown["is_muted"], shown["muted_until"], shown["is_confirmed"]) == (
        False,
        False,
        None,
        True,
    )
    assert [(act["act"], act["by"]) for act in shown["acts"]] == [("confirm", "ada")]


PLACES = (EVERYWHERE, IOS, WEB, IOS_VIEWS, "event_name=page.view")
GUARDRAILS = ("activity", "error_rate", "missing_version", "volume")


@dataclass(frozen=True)
class Past:
    """What was judged: days with their failures; a store as far as incidents need one."""

    judged: dict[date, tuple[FailedGuardrail, ...]]
    kept: tuple[IncidentAct, ...] = ()

    @property
    def failures(self) -> list[FailedGuardrail]:
        return [one for failed in self.judged.values() for one in failed]

    @property
    def unreadable(self) -> set[date]:
        return {one.day for one in self.failures if one.cause == UNREADABLE}

    def judged_days(self, source: str) -> list[JudgedDay]:
        return [JudgedDay(one, 2, not self.judged[one]) for one in sorted(self.judged)]

    def failed_verdicts(self, source: str, first: date, last: date) -> dict[date, dict[int, tuple[Verdict, ...]]]:
        return {
            one: {1: (make_verdict(outcome=Outcome.FAILED),), 2: tuple(map(verdict_of, failed))}
            for one, failed in self.judged.items()
            if first <= one <= last
        }

    def acts(self, source: str) -> list[IncidentAct]:
        return list(self.kept)


def verdict_of(one: FailedGuardrail) -> Verdict:
    share = 100.0 if one.is_confined else 60.0 if one.cause == one.foremost else 10.0
    causes = (place("" if one.foremost == EVERYWHERE else one.foremost, share),) if one.foremost else ()
    outcome = Outcome.UNKNOWN if one.cause == UNREADABLE else Outcome.FAILED
    code = DAY_UNREADABLE if one.cause == UNREADABLE else one.reason_code
    return Verdict(one.guardrail, one.level, outcome, code, one.value, one.threshold, one.sentence, causes)


@st.composite
def failed_days(draw: st.DrawFn, number: int) -> tuple[FailedGuardrail, ...]:
    if draw(st.integers(0, 5)) == 0:
        return (unreadable(number),)
    names = draw(st.sets(st.sampled_from(GUARDRAILS), max_size=3))
    failures = []
    for name in sorted(names):
        cause, level = draw(st.sampled_from(PLACES)), draw(st.sampled_from(Level))
        foremost = cause if cause != EVERYWHERE else draw(st.sampled_from(("", IOS, WEB, EVERYWHERE)))
        is_confined = cause == foremost and draw(st.booleans())
        failures.append(fail(number, name, cause, level=level, foremost=foremost, is_confined=is_confined))
    return tuple(failures)


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    numbers = draw(st.sets(st.integers(1, 14), min_size=1))
    past = Past({day(number): draw(failed_days(number)) for number in sorted(numbers)})
    incidents = group(past.failures, past.judged)
    acts = [
        draw(st.sampled_from(incidents)).decide(act, "ada", NOW, muted_until=TODAY)
        for act in (draw(st.lists(st.sampled_from(Act), max_size=3)) if incidents else [])
    ]
    healed = draw(st.sets(st.sampled_from(sorted(past.judged)), max_size=2)) if acts else set()
    return Past({one: () if one in healed else failed for one, failed in past.judged.items()}, tuple(acts))


@given(pasts(), st.randoms(use_true_random=False))
def test_every_failure_belongs_to_exactly_one_incident_whatever_the_order(past: Past, random: Any) -> None:
    found = group(past.failures, past.judged, past.kept)
    assert sorted(map(repr, past.failures)) == sorted(repr(one) for incident in found for one in incident.failures)
    assert len({one.key for one in found}) == len(found)
    assert [one.first_day for one in found] == sorted(one.first_day for one in found)
    shuffled, judged = past.failures, list(past.judged)
    random.shuffle(shuffled)
    random.shuffle(judged)
    assert group(shuffled, judged, past.kept) == found


@given(pasts())
def test_the_days_of_an_incident_are_consecutive_judged_days_and_it_is_open_while_none_follows(past: Past) -> None:
    for incident in group(past.failures, past.judged):
        telling = sorted(past.judged if incident.cause == UNREADABLE else past.judged.keys() - past.unreadable)
        begin, end = telling.index(incident.first_day), telling.index(incident.last_day)
        assert list(incident.days) == telling[begin : end + 1]
        assert incident.is_open is (end == len(telling) - 1)


@given(pasts(), st.integers(1, 14), st.integers(0, 14))
def test_incidents_of_a_range_are_those_of_the_whole_history_that_touch_it(past: Past, first: int, days: int) -> None:
    begin, end = day(first), day(first) + timedelta(days=days)
    everything = incidents_of(past, "web")
    assert everything == group(past.failures, past.judged, past.kept)
    touching = [one for one in everything if one.first_day <= end and begin <= one.last_day]
    assert incidents_of(past, "web", begin, end) == touching


def test_a_source_without_snapshots_has_no_incidents() -> None:
    assert incidents_of(Past({}), "web") == []
