"""Messages about incidents: one when it opens, one when it is over, and none twice, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Segment
from telemetry_quality.core.incidents import Action
from telemetry_quality.core.marks import Mark, mark_days
from telemetry_quality.core.messages.delivery import MESSAGES_AT_ONCE, deliver, send_test
from telemetry_quality.core.messages.due import BACKFILLING, GATHERING, MOST_AT_ONCE, NEWS
from telemetry_quality.core.messages.journal import FIRST_WAIT, LEASE, LONGEST_WAIT, PATIENT_ATTEMPTS, wait_after
from telemetry_quality.core.messages.model import DeliveryOutcome, Message, MessageKind
from telemetry_quality.core.messages.rules import QuietHours, Rules
from telemetry_quality.errors import DeliveryError
from telemetry_quality_tests.core.messages.post import (
    ANDROID,
    DASHBOARD,
    IOS,
    MORNING,
    UTC_ZONE,
    WARNING,
    YESTERDAY,
    PostOffice,
    failed,
)

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
IOS_PLACE = "platform=ios, between 14:00 and 18:00"
NOTHING: list[str] = []


@pytest.fixture
def post(tmp_path: Path) -> PostOffice:
    return PostOffice(tmp_path)


# One message when an incident opens, one when it is over


def test_an_incident_of_three_days_is_mentioned_when_it_opens_and_when_it_is_over(post: PostOffice) -> None:
    kinds = []
    for number in range(5):
        verdicts = [failed()] if number < 3 else []
        post.judge(YESTERDAY + number * DAY, *verdicts)
        kinds.append(post.kinds())
        assert post.kinds(timedelta(hours=1)) == NOTHING
        post.now = MORNING + (number + 1) * DAY
    assert kinds == [["opened"], [], [], ["resolved"], []]
    assert len({note.ids for message in post.received for note in message.incidents}) == 1, "machines can tell"
    assert [message.title for message in post.received] == [
        "CRITICAL: web fails since 2026-03-10",
        "Resolved: web passes again, after 2026-03-10 to 2026-03-12",
    ]


def test_a_message_says_what_happened_where_whose_it_is_and_links_to_the_day_and_the_incident(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS), is_provisional=True)
    (message,) = post.deliver()
    (note,) = message.incidents

    assert message.text.splitlines() == [
        f"web: 2026-03-10: error rate 20.00 % (limit 5 %), 98 % of it at {IOS_PLACE}.",
        f"Level CRITICAL, 1 failed day, where: {IOS_PLACE}",
        "2026-03-10 is provisional: late events may still change it.",
        "Owners: team:web",
        f"Day: {DASHBOARD}/health/snapshots/web/2026-03-10/",
        f"Acknowledge: {DASHBOARD}/health/incidents/web/2026-03-10/",
    ]
    assert (note.guardrails, note.owners, note.is_open) == (("error_rate",), ("team:web",), True)
    assert [volume.day for volume in message.volumes] == ["2026-03-10"]
    assert message.volumes[0].has_failed


def test_without_an_address_that_others_can_reach_nothing_is_linked(post: PostOffice) -> None:
    post.surroundings = replace(post.surroundings, dashboard=None)
    post.judge(YESTERDAY, failed())
    (message,) = post.deliver()

    assert "http" not in message.text
    assert message.incidents[0].day_url is None


def test_who_has_the_incident_is_said(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.decide(Action.ASSIGN, assignee="grace")
    (message,) = post.deliver()
    assert "grace has it." in message.text


@pytest.mark.parametrize("text", ["@everyone", "<!channel>", "<@U123>", "https://evil.example", "www.evil.example"])
def test_values_of_events_address_nobody_and_link_nowhere(post: PostOffice, text: str) -> None:
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, Contributor(Segment((("page", text),)), 1, 9, 99.0)))
    (message,) = post.deliver()
    assert text not in message.text
    assert text not in str(message.as_json()["incidents"])


def test_text_of_events_is_bounded_and_on_one_line(post: PostOffice) -> None:
    long = replace(failed("odd", Level.CRITICAL), sentence="x\n\x1b" * 2000)
    post.judge(YESTERDAY, long)
    (message,) = post.deliver()
    assert len(message.text) < 2000
    assert message.text.count("\n") == 5 - 1


def test_an_incident_that_reaches_a_higher_level_is_mentioned_again_once(post: PostOffice) -> None:
    post.judge(YESTERDAY, WARNING)
    assert post.kinds() == ["opened"]
    for number in (1, 2):
        post.now = MORNING + number * DAY
        post.judge(YESTERDAY + number * DAY, WARNING, failed())
    assert post.kinds() == ["worsened"]
    assert post.received[-1].title == "CRITICAL, worse than before: web fails since 2026-03-10"
    assert post.kinds() == NOTHING


def test_a_day_that_a_later_revision_heals_resolves_its_incident(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    post.judge(YESTERDAY, total_events=1001)
    (message,) = post.deliver()
    assert (message.kind, message.incidents[0].sentence) == (
        MessageKind.RESOLVED,
        "Withdrawn: what failed passes, since it was judged again or as a whole.",
    )
    assert post.kinds() == NOTHING


def test_an_incident_that_loses_its_first_days_is_still_the_same(post: PostOffice) -> None:
    for number in range(4):
        post.now = MORNING + number * DAY
        post.judge(YESTERDAY + number * DAY, failed())
        post.deliver()
    for number in range(3):
        post.judge(YESTERDAY + number * DAY, total_events=1001)
    assert [incident.first_day for incident in post.incidents(YESTERDAY + 3 * DAY)] == [YESTERDAY + 3 * DAY]
    assert post.kinds() == NOTHING
    assert len(post.received) == 1


def test_an_incident_that_is_split_is_over_when_both_parts_are(post: PostOffice) -> None:
    for number in range(3):
        post.now = MORNING + number * DAY
        post.judge(YESTERDAY + number * DAY, failed())
        post.deliver()
    post.judge(YESTERDAY + DAY, total_events=1001)
    assert post.kinds() == NOTHING, "the second part is open"
    post.judge(YESTERDAY + 3 * DAY)
    assert post.kinds() == ["resolved"]
    assert post.kinds() == NOTHING


def test_incidents_that_merge_are_over_once(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY + DAY)
    post.judge(YESTERDAY + 2 * DAY, failed())
    post.now = MORNING + 2 * DAY
    assert sorted(post.kinds()) == ["opened", "resolved"]
    post.judge(YESTERDAY + DAY, failed())
    assert post.kinds() == NOTHING
    post.judge(YESTERDAY + 3 * DAY)
    assert post.kinds() == ["resolved"]


def test_an_incident_that_goes_on_after_it_was_over_opens_again(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY + DAY)
    post.now += DAY
    assert post.kinds() == ["resolved"], "it was over before it was mentioned: one message for both"
    post.judge(YESTERDAY + DAY, failed())
    assert post.kinds() == ["opened"]
    assert post.kinds() == NOTHING


def test_an_incident_of_the_same_root_cause_weeks_later_is_another_one(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY + DAY)
    post.deliver(DAY)
    later = YESTERDAY + 20 * DAY
    post.now = MORNING + 20 * DAY
    post.judge(later, failed())
    assert post.kinds() == ["opened"]
    (mention,) = post.store.deliveries("team", post.now)[-1].mentions
    assert (mention.first_day, mention.threads) == (later, (f"web/{later} everywhere",))


def test_an_incident_whose_root_cause_is_found_in_a_segment_only_later_is_the_same(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS))
    assert [incident.root_cause for incident in post.incidents()] == ["platform=ios"]
    assert post.kinds() == NOTHING


def test_an_incident_in_another_segment_on_the_same_day_is_another_one(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS))
    assert post.kinds() == ["opened"]
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, ANDROID))
    assert sorted(post.kinds()) == ["opened", "resolved"]


def test_an_incident_that_was_over_does_not_open_again_without_another_failed_day(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY + DAY)
    assert post.kinds(DAY) == ["resolved"]
    post.judge(YESTERDAY + DAY, is_unreadable=True)
    assert [incident.is_open for incident in post.incidents()] == [True]
    assert [message.incidents[0].where for message in post.deliver()] == ["unreadable"]


def test_two_root_causes_of_one_source_are_two_messages(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS), failed("missing_version", Level.CRITICAL, ANDROID))
    assert post.kinds() == ["opened", "opened"]
    post.judge(YESTERDAY + DAY, failed("missing_version", Level.CRITICAL, ANDROID))
    post.now += DAY
    assert post.kinds() == ["resolved"]
    assert "platform=ios" in post.received[-1].text


# Sources that fail together


def test_sources_that_fail_together_come_in_one_message_and_are_over_in_one(post: PostOffice) -> None:
    for source in ("web", "app"):
        post.judge(YESTERDAY, source=source, is_unreadable=True)
    (message,) = post.deliver()
    assert message.title == "CRITICAL: app and web fail since 2026-03-10"
    assert [note.source for note in message.incidents] == ["app", "web"]
    for source in ("web", "app"):
        post.judge(YESTERDAY, total_events=1001, source=source)
    assert post.kinds() == ["resolved"]
    assert post.received[-1].title == "Resolved: app and web pass again, after 2026-03-10"


def test_sources_that_fail_in_different_ways_come_in_a_message_each(post: PostOffice) -> None:
    post.judge(YESTERDAY, is_unreadable=True)
    post.judge(YESTERDAY, failed(), source="app")
    assert post.kinds() == ["opened", "opened"]


def test_a_message_waits_for_sources_that_are_judged_shortly_afterwards(post: PostOffice) -> None:
    pause, _ = GATHERING
    post.judge(YESTERDAY, failed())
    assert post.kinds(pause - SECOND) == NOTHING
    post.judge(YESTERDAY, failed(), source="app")
    assert post.kinds(pause - SECOND) == NOTHING
    (message,) = post.deliver(SECOND)
    assert len(message.incidents) == 2


def test_a_message_does_not_wait_for_ever_where_something_is_always_judged(post: PostOffice) -> None:
    _, longest = GATHERING
    post.judge(YESTERDAY, failed())
    minutes = 0
    while not post.kinds(MINUTE):
        minutes += 1
        post.judge(YESTERDAY, source="app", total_events=1000 + minutes)
    assert (minutes + 1) * MINUTE == longest


# What nobody wants to hear


def test_a_muted_incident_is_not_mentioned_until_the_mute_ends(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.decide(Action.MUTE, muted_until=MORNING.date())
    assert post.kinds() == NOTHING
    assert post.log() == []
    assert post.kinds(DAY) == ["opened"]


def test_an_incident_that_is_muted_after_its_message_ends_in_silence(post: PostOffice) -> None:
    post.judge(YESTERDAY, WARNING)
    assert post.kinds() == ["opened"]
    post.decide(Action.MUTE, muted_until=MORNING.date() + DAY)
    post.judge(YESTERDAY + DAY, failed())
    assert post.kinds(DAY) == NOTHING, "it does not even worsen"
    post.judge(YESTERDAY + 2 * DAY)
    assert post.kinds() == NOTHING
    assert post.kinds(5 * DAY) == NOTHING, "nor is its end told when the mute is over"


def test_an_accepted_or_dismissed_incident_is_never_mentioned(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY, failed(), source="app")
    post.decide(Action.ACCEPT)
    post.decide(Action.DISMISS, source="app")
    assert post.kinds() == NOTHING
    assert post.kinds(DAY) == NOTHING


def test_an_incident_that_is_accepted_after_its_message_ends_in_silence(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    post.decide(Action.ACCEPT)
    assert post.kinds() == NOTHING
    assert post.log()[-1] == ("resolved", "withheld", 0)
    assert post.kinds(DAY) == NOTHING


def test_a_day_that_is_marked_accepted_is_not_mentioned(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    post.store.append_marked_days(mark_days("web", (YESTERDAY, YESTERDAY), Mark.ACCEPTED, "ada", post.now))
    assert post.kinds() == NOTHING


@pytest.mark.parametrize(
    ("minimum", "kinds"), [(Level.INFO, ["opened"]), (Level.WARNING, ["opened"]), (Level.CRITICAL, [])]
)
def test_incidents_below_the_least_level_are_not_mentioned(tmp_path: Path, minimum: Level, kinds: list[str]) -> None:
    post = PostOffice(tmp_path, minimum_level=minimum)
    post.judge(YESTERDAY, WARNING)
    assert post.kinds() == kinds
    post.judge(YESTERDAY + DAY, WARNING, failed())
    assert post.kinds(DAY) == (["worsened"] if kinds else ["opened"])


def test_a_channel_hears_of_its_own_sources_only(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds(2 * MINUTE, post.make_channel("apps", ("app",))) == NOTHING


def test_a_channel_that_no_longer_hears_of_a_source_does_not_hear_that_its_incident_is_over(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    assert post.kinds(DAY, post.make_channel(sources=("app",))) == NOTHING
    post.judge(YESTERDAY + DAY)
    assert post.kinds(DAY) == ["resolved"], "it hears of it again"


# Backfills


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_backfill_of_59_days_of_which_25_fail_is_one_message(post: PostOffice, pieces: int) -> None:
    bad = {number for number in range(59) if number % 7 in {0, 1, 4} or number == 57} - {56}
    assert len(bad) == 25
    for number in range(59):
        post.judge(YESTERDAY - (58 - number) * DAY, *([failed()] if number in bad else []))
        if number % (60 // pieces) == 0:
            assert post.kinds(MINUTE) == NOTHING, "while the backfill goes on"
    (message,) = post.deliver(BACKFILLING[0])
    assert message.kind is MessageKind.DIGEST
    assert message.title == "17 incidents of web, 2026-01-11 to 2026-03-09, none of them open"
    assert message.text.endswith("And 0 more.") or message.text.count("•") == 17
    assert post.kinds(DAY) == NOTHING


def test_a_backfill_that_takes_hours_is_told_every_hour_at_most(post: PostOffice) -> None:
    longest = BACKFILLING[1]
    began = post.now
    for number in range(15):
        post.judge(YESTERDAY - (60 - number) * DAY, failed("error_rate", Level.CRITICAL, (IOS, ANDROID)[number % 2]))
        post.deliver(9 * MINUTE)
    assert 1 <= len(post.received) <= (post.now - began) // longest + 1


@pytest.mark.parametrize("days_ago", [0, 20])
def test_messages_in_a_hurry_wait_for_no_other_day_but_for_the_end_of_quiet_hours(
    tmp_path: Path, days_ago: int
) -> None:
    post = PostOffice(tmp_path, quiet_hours=QuietHours(time(22), time(8)))
    post.now = MORNING.replace(hour=23)
    post.judge(YESTERDAY - days_ago * DAY, failed())
    assert post.round(is_hurried=True) == (0, (), 1), "it is quiet"
    post.now = MORNING.replace(hour=12) + DAY
    post.judge(YESTERDAY + DAY)
    assert post.round() == (0, (), 1)
    assert post.round(is_hurried=True) == (1, (), 0)
    assert post.round(is_hurried=True) == (0, (), 0), "and it is sent once"


def test_a_single_old_day_that_turns_out_to_be_bad_is_news(post: PostOffice) -> None:
    post.judge(YESTERDAY - 20 * DAY, failed())
    assert post.kinds() == NOTHING, "more of a backfill may follow"
    assert post.kinds(BACKFILLING[0]) == ["opened"]


@pytest.mark.parametrize(("age", "kinds"), [(NEWS, ["opened", "opened"]), (NEWS + DAY, ["digest"])])
def test_an_incident_is_history_when_its_last_day_is_older_than_three_days(
    post: PostOffice, age: timedelta, kinds: list[str]
) -> None:
    post.judge(MORNING.date() - age, failed("error_rate", Level.CRITICAL, IOS), failed("odd", Level.INFO, ANDROID))
    assert post.kinds(BACKFILLING[0]) == kinds


@pytest.mark.parametrize("count", [MOST_AT_ONCE, MOST_AT_ONCE + 1])
def test_more_than_five_messages_at_once_become_a_digest(tmp_path: Path, count: int) -> None:
    post = PostOffice(tmp_path)
    sources = tuple(f"s{number}" for number in range(count))
    post.channel = post.make_channel(sources=sources)
    for number, source in enumerate(sources):
        post.judge(YESTERDAY, failed(reason_code=f"REASON_{number}"), source=source)
    assert post.kinds() == (["opened"] * count if count == MOST_AT_ONCE else ["digest"])
    for source in sources:
        post.judge(YESTERDAY + DAY, source=source)
    post.now += DAY
    expected = ["resolved"] if count > MOST_AT_ONCE else ["resolved"] * count
    assert post.kinds() == expected, "what was opened together is over together"


# Receivers that fail


def test_a_receiver_that_is_down_for_an_hour_gets_each_message_once_afterwards(post: PostOffice) -> None:
    post.is_down = True
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS), failed("missing_version", Level.CRITICAL, ANDROID))
    while post.now < MORNING + timedelta(hours=1):
        assert post.kinds(3 * MINUTE) == NOTHING
    assert 10 < post.tried < 20, "ever more rarely"
    assert post.round().waiting == 2
    post.is_down = False
    while post.now < MORNING + timedelta(hours=2):
        post.deliver(10 * MINUTE)
    assert sorted(note.where for message in post.received for note in message.incidents) == [
        "platform=android",
        IOS_PLACE,
    ]
    assert [outcome for _, outcome, _ in post.log()].count("sent") == 2


def test_a_message_keeps_its_key_while_its_incident_changes(post: PostOffice) -> None:
    keys = []

    def refuse(message: Message) -> None:
        keys.append(message.key)
        raise DeliveryError("RECEIVER_SILENT", "No answer.")

    post.channel = replace(post.channel, send=refuse)
    post.judge(YESTERDAY, failed())
    post.deliver()
    post.judge(YESTERDAY + DAY, failed(), failed("volume", Level.CRITICAL))
    post.judge(YESTERDAY, total_events=1001)
    post.judge(YESTERDAY - DAY, failed())
    post.judge(YESTERDAY, failed(), total_events=1002)
    post.deliver(DAY)
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_what_fails_and_is_over_while_the_receiver_is_away_is_one_message(post: PostOffice) -> None:
    post.is_down = True
    post.judge(YESTERDAY, failed())
    post.deliver()
    post.judge(YESTERDAY, total_events=1001)
    post.is_down = False
    assert post.kinds(DAY) == NOTHING, "it never happened"

    post.is_down = True
    post.judge(YESTERDAY + DAY, failed())
    post.deliver()
    post.judge(YESTERDAY + 2 * DAY)
    post.is_down = False
    assert post.kinds(DAY) == ["resolved"]


def test_waits_grow_up_to_a_quarter_of_an_hour_and_after_a_day_to_six_hours() -> None:
    assert [wait_after(attempts) for attempts in (1, 2, 3)] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert wait_after(6) == LONGEST_WAIT
    assert wait_after(PATIENT_ATTEMPTS - 1) == LONGEST_WAIT
    assert wait_after(PATIENT_ATTEMPTS) == wait_after(10_000) == timedelta(hours=6)


def test_a_message_that_is_always_refused_does_not_hold_up_the_others(post: PostOffice) -> None:
    def refuse_ios(message: Message) -> None:
        if "platform=ios" in message.text:
            raise DeliveryError("RECEIVER_REFUSED", "Not this one.")
        post.received.append(message)

    post.channel = replace(post.channel, send=refuse_ios)
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS), failed("missing_version", Level.WARNING, ANDROID))
    post.deliver()
    post.deliver(timedelta(hours=1))
    assert ["platform=android" in message.text for message in post.received] == [True]


def test_the_channel_that_was_tried_longest_ago_comes_first_and_a_call_ends_in_time(post: PostOffice) -> None:
    tried = []

    def hang(message: Message) -> None:
        tried.append(message.channel)
        post.now += 20 * SECOND
        raise DeliveryError("RECEIVER_SILENT", "No answer.")

    channels = [replace(post.make_channel(name), send=hang) for name in ("a", "b", "c")]
    post.judge(YESTERDAY, failed())
    for _ in range(3):
        post.deliver(timedelta(hours=1), *channels)
    assert tried == ["a", "b", "c", "a", "b", "c"]


def test_a_call_sends_no_more_than_ten_messages(tmp_path: Path) -> None:
    post = PostOffice(tmp_path)
    post.judge(YESTERDAY, failed())
    channels = [post.make_channel(f"c{number:02}") for number in range(MESSAGES_AT_ONCE + 1)]
    assert len(post.deliver(3 * MINUTE, *channels)) == MESSAGES_AT_ONCE
    assert len(post.deliver(SECOND, *channels)) == 1


# Processes that die, and processes that compete


class DiedError(Exception):
    pass


def test_a_process_that_dies_while_it_sends_loses_nothing_and_its_message_comes_again_with_the_same_key(
    post: PostOffice,
) -> None:
    keys = []

    def die(message: Message) -> None:
        keys.append(message.key)
        raise DiedError

    channel = post.channel
    post.channel = replace(channel, send=die)
    post.judge(YESTERDAY, failed())
    with pytest.raises(DiedError):
        post.deliver()
    post.channel = channel
    assert post.kinds(LEASE - SECOND) == NOTHING, "its claim holds"
    (message,) = post.deliver(SECOND)
    assert [message.key] == keys
    assert post.log() == [("opened", "claimed", 1), ("opened", "claimed", 2), ("opened", "sent", 2)]


def test_while_a_process_sends_no_other_sends_anything_on_the_channel(post: PostOffice) -> None:
    def die(_: Message) -> None:
        raise DiedError

    channel = post.channel
    post.channel = replace(channel, send=die)
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS), failed("missing_version", Level.CRITICAL, ANDROID))
    with pytest.raises(DiedError):
        post.deliver()
    post.channel = channel
    assert post.kinds(LEASE - SECOND) == NOTHING
    assert post.kinds(SECOND) == ["opened", "opened"]


def test_two_processes_that_decide_the_same_do_not_both_send(post: PostOffice) -> None:
    rival = post.make_channel()

    def be_overtaken(message: Message) -> None:
        raise AssertionError(message)

    class Slow:
        """A store in which another process is faster between reading and claiming."""

        def __getattr__(self, name: str) -> Any:
            return getattr(post.store, name)

        def append_delivery(self, *arguments: Any) -> int:
            post.round(rival)
            return post.store.append_delivery(*arguments)

    post.judge(YESTERDAY, failed())
    post.now += 3 * MINUTE
    slow: Any = Slow()
    deliver(slow, [replace(post.channel, send=be_overtaken)], post.surroundings, lambda: post.now)
    assert len(post.received) == 1


def test_a_claim_from_a_clock_that_is_far_ahead_holds_nobody_up(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())

    def die(_: Message) -> None:
        raise DiedError

    channel, now = post.channel, post.now
    post.channel, post.now = replace(channel, send=die), now + 300 * DAY
    post.judge(YESTERDAY + 300 * DAY, failed())
    with pytest.raises(DiedError):
        post.deliver()
    post.channel, post.now = channel, now
    assert post.kinds(timedelta(hours=1)) == ["digest"] or post.received


# When a channel wants to hear


@pytest.mark.parametrize(
    ("moment", "is_quiet"), [("21:59", False), ("22:00", True), ("03:00", True), ("06:59", True), ("07:00", False)]
)
def test_quiet_hours_begin_and_end_by_the_channel_s_clock(moment: str, is_quiet: bool) -> None:
    assert QuietHours(time(22), time(7)).hold(time.fromisoformat(moment)) is is_quiet
    assert not QuietHours(time(8), time(9)).hold(time(7, 59))
    assert QuietHours(time(8), time(9)).hold(time(8))
    assert not QuietHours(time(8), time(9)).hold(time(9))


def test_quiet_hours_delay_messages_and_drop_none(tmp_path: Path) -> None:
    post = PostOffice(tmp_path, quiet_hours=QuietHours(time(5), time(7)))
    post.judge(YESTERDAY, failed())
    assert post.kinds() == NOTHING
    assert post.round().waiting == 1
    post.now = MORNING
    assert post.kinds(59 * MINUTE + 59 * SECOND) == NOTHING
    assert post.kinds(SECOND) == ["opened"]


@pytest.mark.parametrize(("verdict", "kinds"), [(failed(), ["opened"]), (WARNING, [])])
def test_critical_incidents_may_break_quiet_hours_if_the_channel_wants_so(
    tmp_path: Path, verdict: Any, kinds: list[str]
) -> None:
    post = PostOffice(tmp_path, quiet_hours=QuietHours(time(5), time(7)), wakes_for_critical=True)
    post.judge(YESTERDAY, verdict)
    assert post.kinds() == kinds
    post.judge(YESTERDAY + DAY)
    assert post.kinds() == NOTHING, "its end can wait"


def test_an_open_incident_that_nobody_has_is_mentioned_again_after_the_days_that_the_channel_wants(
    tmp_path: Path,
) -> None:
    post = PostOffice(tmp_path, repeat_days=2)
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    assert post.kinds(2 * DAY - SECOND) == NOTHING
    assert post.kinds(SECOND) == ["reminder"]
    assert post.kinds(2 * DAY - SECOND) == NOTHING
    post.decide(Action.ACKNOWLEDGE)
    assert post.kinds(5 * DAY) == NOTHING


def test_without_repeat_days_nothing_is_repeated(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]
    assert post.kinds(20 * DAY) == NOTHING


def test_a_weekly_digest_comes_on_monday_and_names_what_was_open_in_the_week(tmp_path: Path) -> None:
    post = PostOffice(tmp_path, is_weekly=True)
    # 2026-03-11 is a Wednesday.
    assert post.kinds() == ["digest"], "of the week before the channel existed"
    post.judge(YESTERDAY, failed())
    post.judge(YESTERDAY + DAY)
    assert post.kinds(4 * DAY) == NOTHING
    post.now = MORNING.replace(day=16, hour=8)
    with_report = replace(post.channel, report=lambda now: f"made at {now:%A %H:%M}")
    (message,) = post.deliver(timedelta(0), with_report)
    assert (message.kind, message.title) == (MessageKind.DIGEST, "1 incident of web, 2026-03-10, none of them open")
    assert message.report == "made at Monday 08:00"
    assert Message.from_json(message.as_json()) == message
    assert post.kinds(6 * DAY) == NOTHING
    post.now = MORNING.replace(day=23, hour=8)
    assert [message.title for message in post.deliver(timedelta(0))] == ["No incidents last week"]


def test_the_week_begins_on_monday_at_eight_by_the_channel_s_clock() -> None:
    rules = Rules(UTC_ZONE)
    monday = MORNING.replace(day=16, hour=8)
    assert rules.week_begins(monday) == monday
    assert rules.week_begins(monday - SECOND) == monday - 7 * DAY


# Trying a channel out


def test_a_test_message_is_logged_and_means_no_incident(post: PostOffice) -> None:
    send_test(post.store, post.channel, DASHBOARD, lambda: post.now)
    post.is_down = True
    with pytest.raises(DeliveryError):
        send_test(post.store, post.channel, DASHBOARD, lambda: post.now)
    assert post.log() == [("test", "sent", 1), ("test", "failed", 1)]
    assert [row.outcome for row in post.store.latest_deliveries()] == [DeliveryOutcome.FAILED, DeliveryOutcome.SENT]
    post.is_down = False
    post.judge(YESTERDAY, failed())
    assert post.kinds() == ["opened"]


def test_a_message_survives_json(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed("error_rate", Level.CRITICAL, IOS))
    (message,) = post.deliver()
    assert Message.from_json(message.as_json()) == message


def test_only_days_judged_lately_are_looked_at(post: PostOffice) -> None:
    post.judge(YESTERDAY, failed())
    assert post.store.days_judged_since("web", post.now) == (YESTERDAY, YESTERDAY)
    assert post.store.days_judged_since("web", post.now + SECOND) is None
    assert post.store.days_judged_since("app", post.now) is None
    assert date.min < YESTERDAY
