from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.distributions import student_t5_reach


@pytest.mark.parametrize(
    ("percent", "published"),
    [(50, 0.727), (80, 1.476), (90, 2.015), (95, 2.571), (98, 3.365), (99, 4.032), (99.8, 5.893), (99.9, 6.869)],
)
def test_the_reach_of_a_t_distribution_is_that_of_printed_tables(percent: float, published: float) -> None:
    assert student_t5_reach(percent / 100) == pytest.approx(published, abs=0.0005)


@pytest.mark.parametrize(
    ("percent", "known"),
    [
        (0, 0.0),
        (1, 0.0131719846726469),
        (50, 0.726686843800423),
        (90, 2.01504837333302),
        (95, 2.57058183563632),
        (99, 4.03214298355523),
        (99.9, 6.86882662588111),
        (99.9999, 28.4784734629842),
    ],
)
def test_the_reach_of_a_t_distribution_is_exact(percent: float, known: float) -> None:
    """Compared with values computed to thirty digits."""
    assert student_t5_reach(percent / 100) == pytest.approx(known, rel=1e-10, abs=1e-12)


@given(st.floats(0, 0.9999), st.floats(0, 0.9999))
def test_a_larger_share_never_reaches_less_far(share: float, other: float) -> None:
    low, high = sorted((share, other))
    assert 0 <= student_t5_reach(low) <= student_t5_reach(high)


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5])
def test_a_share_that_no_distribution_has_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match="A share from 0 to below 1 is required"):
        student_t5_reach(share)
