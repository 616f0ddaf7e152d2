"""Whatever becomes of days and receivers, a channel hears nothing twice, and in the end believes what is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level
from telemetry_quality.core.incidents import EVERYWHERE, UNREADABLE, FailedGuardrail, group_incidents
from telemetry_quality.core.messages.due import Judged, due_messages
from telemetry_quality.core.messages.journal import LEASE, journal_of
from telemetry_quality.core.messages.model import Delivery, DeliveryOutcome, MessageKind
from telemetry_quality.core.messages.rules import Rules
from telemetry_quality_tests.core.messages.post import MORNING, YESTERDAY

if TYPE_CHECKING:
    from telemetry_quality.core.incidents import Incident

RULES = Rules(ZoneInfo("UTC"))
DAYS = [YESTERDAY - timedelta(days=number) for number in range(5)]
IOS, SHOP, ANDROID = "platform=ios", "platform=ios × app=shop", "platform=android"
PLACES = (EVERYWHERE, IOS, SHOP, ANDROID, UNREADABLE)

verdicts = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from([Level.CRITICAL, Level.WARNING])), max_size=2)
steps = st.lists(
    st.tuples(st.sampled_from(DAYS), verdicts, st.sampled_from(["accepts", "refuses", "dies"])), min_size=1, max_size=12
)


def failure(day: date, number: int, place: str, level: Level) -> FailedGuardrail:
    code = DAY_UNREADABLE if place == UNREADABLE else "ERROR_RATE_HIGH"
    confined = place not in {EVERYWHERE, UNREADABLE}
    name = f"guardrail{number}"
    return FailedGuardrail(day, name, level, code, 9.0, 5.0, "Bad.", place, place if confined else "", confined, 1)


class Channel:
    """A channel, its log, and days as they are judged."""

    def __init__(self) -> None:
        self.log: list[Delivery] = []
        self.days: dict[date, list[FailedGuardrail]] = {}
        self.now = MORNING

    def incidents(self) -> list[Incident]:
        failures = [failed for found in self.days.values() for failed in found]
        return group_incidents("web", failures, list(self.days))

    def append(self, delivery: Delivery) -> None:
        self.log.append(replace(delivery, sequence=len(self.log) + 1))

    def deliver(self, receiver: str) -> None:
        self.now += timedelta(days=1)
        due = due_messages(
            "team",
            self.incidents(),
            Judged(None, {}),
            journal=journal_of(self.log),
            rules=RULES,
            now=self.now,
        )
        for outcome, mention in due.unsent:
            self.append(Delivery("team", "", MessageKind.REMINDER, outcome, 0, self.now, "", (mention,)))
        for draft in due.drafts:
            mentions = tuple(item.mention for item in draft.items)
            outcomes = {
                "accepts": [DeliveryOutcome.CLAIMED, DeliveryOutcome.SENT],
                "refuses": [DeliveryOutcome.CLAIMED, DeliveryOutcome.FAILED],
                "dies": [DeliveryOutcome.CLAIMED],
            }[receiver]
            for outcome in outcomes:
                self.append(Delivery("team", draft.key, draft.kind, outcome, 1, self.now, "", mentions))
            if receiver != "accepts":
                break
        self.now += LEASE


def on(number: int, *found: tuple[str, Level], receiver: str = "accepts") -> tuple[date, Any, str]:
    return date(2026, 3, number), list(found), receiver


# Two incidents of the same days whose segments change: each was taken for the other.
@example(
    [
        on(9, (ANDROID, Level.WARNING), (UNREADABLE, Level.CRITICAL)),
        on(7, (SHOP, Level.WARNING), (IOS, Level.WARNING), receiver="refuses"),
        on(6, (IOS, Level.WARNING), (ANDROID, Level.CRITICAL), receiver="dies"),
    ]
)
@example(
    [
        on(7, (ANDROID, Level.WARNING), (SHOP, Level.WARNING), receiver="refuses"),
        on(10, (ANDROID, Level.CRITICAL), (UNREADABLE, Level.CRITICAL), receiver="dies"),
        on(9, (SHOP, Level.CRITICAL)),
    ]
)
# Attempts that failed had merged incidents, which got one name when they were apart again.
@example(
    [
        on(10, (ANDROID, Level.CRITICAL), (IOS, Level.WARNING), receiver="refuses"),
        on(9, (IOS, Level.CRITICAL), (UNREADABLE, Level.CRITICAL), receiver="refuses"),
        on(8, (UNREADABLE, Level.CRITICAL), (ANDROID, Level.CRITICAL)),
    ]
)
@settings(max_examples=100, deadline=None)
@given(steps)
def test_no_message_says_again_what_the_channel_knows_and_what_is_open_is_over_at_the_end(
    sequence: list[tuple[date, list[tuple[str, Level]], str]],
) -> None:
    channel = Channel()
    for day, found, receiver in sequence:
        channel.days[day] = [failure(day, number, *part) for number, part in enumerate(found)]
        channel.deliver(receiver)
    for _ in range(3):
        channel.deliver("accepts")
    before = len(channel.log)
    channel.deliver("accepts")
    assert len(channel.log) == before, "nothing is due any more"

    channel.days = {day: [] for day in (*DAYS, YESTERDAY + timedelta(days=1))}
    for _ in range(3):
        channel.deliver("accepts")
    assert not [said for said in journal_of(channel.log).heard if said.mention.is_open]

    believed: dict[str, bool] = {}
    sent = [row for row in channel.log if row.outcome is DeliveryOutcome.SENT]
    assert len({row.key for row in sent}) == len(sent), "no message is sent twice"
    for row in sent:
        for mention in row.mentions:
            before_that = {believed[thread] for thread in mention.threads if thread in believed}
            assert not (row.kind is MessageKind.OPENED and True in before_that)
            assert not (row.kind is MessageKind.RESOLVED and before_that == {False})
            believed.update(dict.fromkeys(mention.threads, mention.is_open))
