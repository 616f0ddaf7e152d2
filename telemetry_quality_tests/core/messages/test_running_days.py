"""Messages about a running day: one when something fails, and none again when tomorrow's snapshot says the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telemetry_quality.core.guardrails.verdicts import Level
from telemetry_quality_tests.core.messages.post import MORNING, WARNING, YESTERDAY, PostOffice, failed

if TYPE_CHECKING:
    from pathlib import Path

TODAY = MORNING.date()
A_DAY = timedelta(days=1)


@pytest.fixture
def post(tmp_path: Path) -> PostOffice:
    post = PostOffice(tmp_path)
    post.judge(YESTERDAY)
    return post


def test_what_fails_is_mentioned_once_while_the_day_runs_and_says_that_it_is_provisional(post: PostOffice) -> None:
    post.look(TODAY, WARNING)
    (message,) = post.deliver()
    assert message.title == f"WARNING: web fails since {TODAY}"
    assert f"{TODAY} is provisional: late events may still change it." in message.text
    post.look(TODAY, WARNING, hour=11)
    assert post.deliver() == []


def test_the_snapshot_that_confirms_it_says_nothing_more(post: PostOffice) -> None:
    post.look(TODAY, WARNING)
    assert post.kinds() == ["opened"]
    post.now += A_DAY
    post.judge(TODAY, WARNING)
    assert post.kinds() == []
    post.judge(TODAY + A_DAY)
    assert post.kinds() == ["resolved"]


def test_the_snapshot_that_finds_it_worse_says_so(post: PostOffice) -> None:
    post.look(TODAY, WARNING)
    post.deliver()
    post.now += A_DAY
    post.judge(TODAY, WARNING, failed("error_rate", Level.CRITICAL))
    assert post.kinds() == ["worsened"]


def test_the_snapshot_that_does_not_find_it_withdraws_it(post: PostOffice) -> None:
    post.look(TODAY, WARNING)
    post.deliver()
    post.now += A_DAY
    post.judge(TODAY)
    (message,) = post.deliver()
    assert (message.kind.value, message.title) == ("resolved", f"Withdrawn: web passes, on {TODAY}")
    assert "Withdrawn: what failed passes, since it was judged again or as a whole." in message.text
    assert post.deliver() == []


def test_an_incident_of_yesterday_goes_on_today_without_another_message(post: PostOffice) -> None:
    post.judge(YESTERDAY, WARNING)
    assert post.kinds() == ["opened"]
    post.look(TODAY, WARNING)
    assert post.kinds() == []
    assert [incident.days for incident in post.incidents(TODAY)] == [(YESTERDAY, TODAY)]
