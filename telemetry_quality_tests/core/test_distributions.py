from __future__ import annotations

from fractions import Fraction
from math import comb, exp, inf, lgamma, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry_quality.core.distributions import (
    binomial_tail,
    log_chance_of_at_least,
    negative_binomial_tails,
    student_t5_reach,
)


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


@settings(deadline=None)
@given(
    st.integers(0, 60), st.integers(0, 60), st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000)
)
def test_the_tail_of_a_binomial_distribution_is_the_exact_sum(least: int, more: int, share: Fraction) -> None:
    trials = least + more
    exact = sum(
        (comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(least, trials + 1)), Fraction(0)
    )

    assert binomial_tail(least, trials, float(share)) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


def test_the_tail_of_many_trials_is_as_scipy_has_it() -> None:
    # By scipy.stats.binom.sf.
    assert binomial_tail(2100, 100_000, 0.02) == pytest.approx(0.01276871751, rel=1e-9)
    assert binomial_tail(0, 100_000, 0.02) == 1.0
    assert binomial_tail(100_000, 100_000, 0.5) == 0.0


@pytest.mark.parametrize("arguments", [(-1, 3, 0.5), (4, 3, 0.5), (1, 3, 0.0), (1, 3, 1.0)])
def test_an_impossible_binomial_count_is_refused(arguments: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="binomial count"):
        binomial_tail(*arguments)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 80), st.integers(2, 8))
def test_the_tails_of_a_negative_binomial_distribution_are_the_exact_sums(
    count: int, size: int, dispersion: int
) -> None:
    """With a whole ``size``, it counts failures before the ``size``th success."""
    success = Fraction(1, dispersion)
    exact = [comb(k + size - 1, k) * success**size * (1 - success) ** k for k in range(count + 1)]

    lower, upper = negative_binomial_tails(count, size * (dispersion - 1), dispersion)

    assert lower == pytest.approx(float(sum(exact)), abs=1e-12)
    assert upper == pytest.approx(float(1 - sum(exact[:-1])), abs=1e-12)


@pytest.mark.parametrize("arguments", [(-1, 3.0, 2.0), (1, 0.0, 2.0), (1, 3.0, 1.0)])
def test_an_impossible_negative_binomial_count_is_refused(arguments: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="negative binomial count"):
        negative_binomial_tails(*arguments)


def beta_binomial(count: int, events: int, mean: float, correlation: float) -> float:
    a, b = mean * (1 / correlation - 1), (1 - mean) * (1 / correlation - 1)
    beta = lgamma(count + a) + lgamma(events - count + b) - lgamma(events + a + b)
    return comb(events, count) * exp(beta - lgamma(a) - lgamma(b) + lgamma(a + b))


@given(st.integers(1, 80), st.data(), st.floats(0.001, 0.999), st.floats(1e-4, 0.9))
def test_the_chance_of_errors_is_at_least_the_exact_sum(
    events: int, data: st.DataObject, mean: float, correlation: float
) -> None:
    found = data.draw(st.integers(0, events))
    exact = sum(beta_binomial(count, events, mean, correlation) for count in range(found, events + 1))

    assert log_chance_of_at_least(found, events, mean, correlation) >= log(max(exact, 1e-300)) - 1e-6


@pytest.mark.parametrize(
    ("found", "events", "mean", "correlation"),
    [(10, 20, 0.01, 0.01), (20, 20, 0.01, 0.05), (60, 400, 0.02, 0.002), (30, 40, 0.3, 0.02)],
)
def test_the_chance_of_many_errors_is_hardly_above_the_exact_sum(
    found: int, events: int, mean: float, correlation: float
) -> None:
    exact = sum(beta_binomial(count, events, mean, correlation) for count in range(found, events + 1))

    assert log_chance_of_at_least(found, events, mean, correlation) == pytest.approx(log(exact), abs=0.5)


@pytest.mark.parametrize(
    ("found", "mean", "chance"), [(0, 0.1, 0.0), (10, 0.1, 0.0), (1, 0.0, -inf), (0, 0.0, 0.0), (60, 0.5, 0.0)]
)
def test_the_chance_of_the_expected_is_one_and_of_the_impossible_none(found: int, mean: float, chance: float) -> None:
    # The last is a rate that may be anything, so that nothing is unlikely.
    assert log_chance_of_at_least(found, 100, mean, 0.9) == chance


def test_more_errors_are_never_likelier() -> None:
    chances = [log_chance_of_at_least(found, 500_000, 0.01, 0.001) for found in range(6000, 500_001, 1300)]

    assert chances == sorted(chances, reverse=True)
    assert chances[0] > -2
    assert chances[-1] < -3000
