from __future__ import annotations

from datetime import date

import pytest

from telemetry_quality.core.guardrails.said_once import listed, said_once, young_days
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, HISTORY_TOO_SHORT, Level, Outcome, Verdict


def verdict(name: str, code: str = HISTORY_TOO_SHORT, outcome: Outcome = Outcome.UNKNOWN, words: str = "") -> Verdict:
    return Verdict(name, Level.WARNING, outcome, code, None, None, words or f"{name}: {code}.")


PASSED = verdict("error_rate", "ERROR_RATE_OK", Outcome.PASSED)


def test_guardrails_that_know_too_few_days_say_so_once_and_in_their_order() -> None:
    said = said_once([PASSED, verdict("volume"), verdict("sample", "SAMPLE_OK", Outcome.PASSED), verdict("leak")])

    assert [(names, sentence) for names, sentence, _ in said] == [
        ("error_rate", "error_rate: ERROR_RATE_OK."),
        ("volume and leak", "Too few earlier days are known to judge volume and leak yet."),
        ("sample", "sample: SAMPLE_OK."),
    ]


def test_a_guardrail_alone_keeps_its_own_sentence_which_has_the_day_from_which_it_judges() -> None:
    assert said_once([verdict("volume")])[0].sentence == f"volume: {HISTORY_TOO_SHORT}."


def test_what_several_say_in_the_same_words_is_said_once_whatever_it_is() -> None:
    said = said_once([verdict(name, DAY_UNREADABLE, words="The day is lost.") for name in ("activity", "volume")])
    assert [tuple(line)[:2] for line in said] == [("activity and volume", "The day is lost.")]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.PASSED])
def test_failures_and_passes_are_never_joined(outcome: Outcome) -> None:
    assert len(said_once([verdict(name, "SAME", outcome, "The same.") for name in ("activity", "volume")])) == 2


def test_unknown_verdicts_for_a_reason_of_their_own_are_not_joined() -> None:
    assert len(said_once([verdict("volume", "OTHER"), verdict("leak", "OTHER")])) == 2


def test_young_days_are_described_in_one_sentence() -> None:
    first, last = date(2026, 3, 1), date(2026, 3, 3)
    both = [verdict("volume"), verdict("leak")]
    days = [(first, [PASSED, *both]), (date(2026, 3, 2), [PASSED]), (last, both)]

    assert young_days(days) == (
        "Too few earlier days were known on 2 days from 2026-03-01 to 2026-03-03 to judge volume and leak."
    )
    assert young_days(days[2:]) == "Too few earlier days were known on 2026-03-03 to judge volume and leak."
    assert young_days(days[1:2]) == ""


def test_guardrails_that_wait_longer_than_others_are_named_apart() -> None:
    volume, silence, leak = (verdict(name) for name in ("volume", "silence", "leak"))
    days = [(date(2026, 3, 1), [leak, volume]), (date(2026, 3, 2), [leak, volume, silence]), (date(2026, 3, 3), [leak])]

    assert young_days(days) == (
        "Too few earlier days were known on 2 days from 2026-03-01 to 2026-03-02 to judge volume and silence; "
        "on 3 days from 2026-03-01 to 2026-03-03 to judge leak."
    )


def test_lists_are_written_as_people_write_them() -> None:
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a and b", "a, b and c")
