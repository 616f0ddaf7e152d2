"""Quantiles and tails of distributions that are not in the standard library."""

from __future__ import annotations

from math import cos, exp, fsum, inf, lgamma, log, log1p, pi, sin, sqrt, tan

NEGLIGIBLE = 1e-17
"""Terms smaller than this share of the largest do not change a sum of floats."""


def student_t5_reach(share: float) -> float:
    """The distance from zero, on either side, that holds ``share`` of a t distribution of five degrees of freedom.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3: with ``t = √5 tan θ`` the share
    is elementary. It grows with θ, so bisection finds it to the last digits.

    Raises:
        ValueError: If not ``0 <= share < 1``.
    """
    if not 0 <= share < 1:
        raise ValueError(f"A share from 0 to below 1 is required, not {share}.")
    low, high = 0.0, pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        inside = 2 / pi * (angle + sin(angle) * (cos(angle) + 2 / 3 * cos(angle) ** 3))
        low, high = (angle, high) if inside < share else (low, angle)
    return sqrt(5) * tan(low)


def binomial_tail(least: int, trials: int, probability: float) -> float:
    """The probability of ``least`` or more successes in ``trials``, summed outwards from the largest term.

    Raises:
        ValueError: If not ``0 <= least <= trials`` and ``0 < probability < 1``.
    """
    if not (0 <= least <= trials and 0 < probability < 1):
        raise ValueError(f"{least} of {trials} at a probability of {probability} is not a binomial count.")
    odds = probability / (1 - probability)
    largest = max(least, int((trials + 1) * probability))
    ways = lgamma(trials + 1) - lgamma(largest + 1) - lgamma(trials - largest + 1)
    highest = exp(ways + largest * log(probability) + (trials - largest) * log1p(-probability))
    terms, term = [highest], highest
    for wins in range(largest, trials):
        term *= (trials - wins) / (wins + 1) * odds
        terms.append(term)
        if term < NEGLIGIBLE * highest:
            break
    term = highest
    for wins in range(largest, least, -1):
        term *= wins / (trials - wins + 1) / odds
        terms.append(term)
        if term < NEGLIGIBLE * highest:
            break
    return min(fsum(terms), 1.0)


def negative_binomial_tails(count: int, mean: float, dispersion: float) -> tuple[float, float]:
    """The probabilities of ``count`` or fewer and of ``count`` or more.

    Args:
        count: How many were counted.
        mean: The expected count.
        dispersion: The variance in multiples of the mean; a count without a further spread, a Poisson count, has 1.

    Raises:
        ValueError: If not ``0 <= count``, ``0 < mean`` and ``1 < dispersion``.
    """
    if not (count >= 0 and mean > 0 and dispersion > 1):
        raise ValueError(f"{count} at a mean of {mean} and a dispersion of {dispersion} is no negative binomial count.")
    size, growth = mean / (dispersion - 1), (dispersion - 1) / dispersion
    logarithm = size * -log(dispersion)
    logs = [logarithm]
    for k in range(count):
        logarithm += log((size + k) / (k + 1) * growth)
        logs.append(logarithm)
    terms = list(map(exp, logs))
    lower = fsum(terms)
    return min(lower, 1.0), min(max(1.0 - fsum(terms[:-1]), 0.0), 1.0)


def log_chance_of_at_least(found: int, events: int, mean: float, correlation: float) -> float:
    """Log of an upper bound of the chance that at least ``found`` of ``events`` count, by the beta-binomial.

    The bound adds a geometric series to the exact probability of ``found``, since the ratio of successive probabilities
    only falls from there on; it is exact at ``found = events`` and hardly above the exact tail where that is small.

    Source: Griffiths, "Maximum likelihood estimation for the beta-binomial distribution", Biometrics 29 (1973).

    Args:
        found: Events that count, 0 to ``events``.
        events: At least 1.
        mean: Their expected share, 0 to 1; at 0 none is possible.
        correlation: Of two events of a day, above 0 and below 1: the variance is that of the binomial times
            ``1 + (events - 1) * correlation``.
    """
    if found <= mean * events:
        return 0.0
    if mean <= 0:
        return -inf
    a, b = mean * (1 / correlation - 1), (1 - mean) * (1 / correlation - 1)
    probability = (
        lgamma(events + 1)
        - lgamma(found + 1)
        - lgamma(events - found + 1)
        + (lgamma(found + a) + lgamma(events - found + b) - lgamma(events + a + b))
        - (lgamma(a) + lgamma(b) - lgamma(a + b))
    )
    left = events - found
    # Each ratio is (left / (left + b - 1)) * ((found + a) / (found + 1)), and the second factor is at most this.
    ratio = left / (left + b - 1) * max(1.0, (found + a) / (found + 1)) if left else 0.0
    # Without a falling ratio there is no bound: the share may just as well be anything.
    return min(probability - log1p(-ratio), 0.0) if 0 <= ratio < 1 else 0.0
