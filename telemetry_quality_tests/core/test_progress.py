from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.progress import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_says_days_events_rate_and_time_left() -> None:
    clock = Clock()
    pace = Pace(365, clock)
    for _ in range(73):
        pace.advance(events=100_000)
    clock.now = 10
    assert pace.sentence() == "73 of 365 days, 7,300,000 events, 730,000 events/s, 0:40 left"


def test_before_the_first_day_neither_rate_nor_time_left_are_known() -> None:
    clock = Clock()
    pace = Pace(365, clock)
    clock.now = 10
    assert pace.sentence() == "0 of 365 days"


def test_work_that_reads_no_events_shows_the_rate_of_what_it_counts() -> None:
    clock = Clock()
    pace = Pace(4_000, clock, "evaluations")
    pace.advance(1_000)
    clock.now = 1_250
    assert pace.sentence() == "1,000 of 4,000 evaluations, 0.8 evaluations/s, 1:02:30 left"


def test_at_the_end_nothing_is_left() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    pace.advance(2, 50)
    clock.now = 1
    assert pace.sentence() == "2 of 2 days, 50 events, 50 events/s"


@given(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1e6))
def test_a_clock_that_stands_still_or_jumps_never_breaks_it(total: int, done: int, seconds: float) -> None:
    clock = Clock()
    pace = Pace(total, clock)
    pace.advance(done, done)
    clock.now = seconds
    assert pace.sentence().startswith(f"{done} of {total} days")
