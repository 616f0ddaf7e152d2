"""Verdicts of the running day: one per guardrail, from the ends of all hours."""

from __future__ import annotations

from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.running.verdicts import MOST_SENTENCES, verdicts_of_day


def failed(guardrail: str, *hours: tuple[int, int], level: Level = Level.WARNING, sentence: str = "") -> Verdict:
    contributors = tuple(Contributor(Segment(hours=run), 10.0, 0.0) for run in hours)
    return Verdict(guardrail, level, Outcome.FAILED, "CODE", 1.0, 0.5, sentence, contributors)


def test_nothing_failed() -> None:
    assert verdicts_of_day([]) == verdicts_of_day([(), ()]) == ()


def test_each_guardrail_that_ever_failed_is_named_once_in_the_order_of_their_failures() -> None:
    rate, hours = failed("error_rate"), failed("missing_hours", (9, 10))
    assert verdicts_of_day([(), (hours,), (rate, hours), ()]) == (hours, rate)


def test_a_run_that_grew_is_kept_as_it_was_found_last() -> None:
    grown = failed("missing_hours", (9, 11), sentence="Three hours.")
    assert verdicts_of_day([(failed("missing_hours", (9, 10), sentence="Two hours."),), (grown,)]) == (grown,)


def test_separate_runs_are_all_kept() -> None:
    early, late = failed("missing_hours", (2, 3), sentence="Early."), failed("missing_hours", (9, 10), sentence="Late.")
    (found,) = verdicts_of_day([(early,), (), (late,)])
    assert found.sentence == "Early. Late."
    assert [each.segment.hours for each in found.contributors] == [(2, 3), (9, 10)]


def test_runs_that_only_touch_are_two_and_runs_with_an_hour_in_common_are_one() -> None:
    first = failed("missing_hours", (2, 3))
    for second, count in (((4, 5), 2), ((3, 4), 1)):
        (found,) = verdicts_of_day([(first,), (failed("missing_hours", second),)])
        assert len(found.contributors) == count


def test_a_rate_of_the_day_so_far_is_kept_as_it_failed_last_with_its_worst_level() -> None:
    early = failed("error_rate", level=Level.CRITICAL, sentence="At noon.")
    (found,) = verdicts_of_day([(early,), (failed("error_rate", sentence="At one."),), ()])
    assert (found.level, found.sentence) == (Level.CRITICAL, "At one.")


def test_many_runs_are_not_one_endless_sentence() -> None:
    runs = [(failed("missing_hours", (hour, hour), sentence=f"At {hour}."),) for hour in range(0, 20, 2)]
    (found,) = verdicts_of_day(runs)
    assert found.sentence.count("At") == MOST_SENTENCES
    assert len(found.contributors) == 10
