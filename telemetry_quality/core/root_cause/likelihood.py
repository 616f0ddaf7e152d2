"""Likelihood: how well a segment explains the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import TYPE_CHECKING

from telemetry_quality.core.events import HOUR
from telemetry_quality.core.guardrails.verdicts import Segment
from telemetry_quality.core.root_cause.noise import HALF_AN_EVENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.root_cause.noise import Table

Key = tuple[tuple[tuple[str, str | None], ...], tuple[int, int] | None]
EVERYWHERE: Key = ((), None)

STEP = 0.01
"""Ratios of the day are rounded to this logarithmic step, so that the cells outside are judged once per step."""

FARTHEST = 3.0
"""How many standard deviations the whole day may be off while a segment is the root cause."""

ODD = 5.0
"""Beyond so many standard deviations, a cell counts against a segment only linearly (Huber): odd cells are common."""


def badness(off: float) -> float:
    """The square of a distance in standard deviations, growing only linearly beyond ODD."""
    return off * off if off <= ODD else ODD * (2 * off - ODD)


def _log_likelihoods(found: Sequence[float], means: Sequence[float], table: Table) -> list[float]:
    """The log-likelihood of each cell; written out, since a search asks for tens of thousands."""
    linear, square = table.sampling * table.dispersion, table.sampling * table.cell_spread
    likelihoods = []
    for count, mean in zip(found, means, strict=True):
        if mean > 0:
            variance = 1.0 + mean * (linear + square * mean)
            off = (count - mean) / sqrt(variance)
            if off < 0:
                off = -off
            bad = off * off if off <= ODD else ODD * (2 * off - ODD)
            likelihoods.append(-0.5 * (bad + log(variance)))
        else:  # where nothing can be, as in most cells of a large table
            likelihoods.append(-0.5 * badness(count) if count else 0.0)
    return likelihoods


def _outside(table: Table, step: int) -> tuple[float, list[float]]:
    known = table.outside.get(step)
    if known is None:
        ratio = exp(step * STEP)
        by_cell = _log_likelihoods(table.found, [ratio * mean for mean in table.mean], table)
        known = table.outside[step] = sum(by_cell), by_cell
    return known


@dataclass(slots=True)
class Fit:
    """A segment in one table: the cells inside, and what follows from them."""

    table: Table
    inside: list[int]
    found: float
    mean: float
    room: float
    step: int = 0
    penalty: float = 0.0
    gain: float = 0.0


@dataclass(slots=True)
class Hypothesis:
    """A segment that may have changed."""

    parts: tuple[tuple[str, str | None], ...]
    hours: tuple[int, int] | None
    power: float
    fits: list[Fit] = field(default_factory=list)
    price: float = 0.0
    score: float = 0.0

    @property
    def family(self) -> tuple[str, ...]:
        """The attributes of the conditions."""
        return (*(name for name, _ in self.parts), *((HOUR,) if self.hours else ()))

    @property
    def key(self) -> Key:
        """What distinguishes this hypothesis from all others."""
        return self.parts, self.hours

    @property
    def segment(self) -> Segment:
        """The segment that may have changed."""
        return Segment(self.parts, self.hours)


def fit_cells(table: Table, inside: list[int]) -> Fit:
    """The sums over the cells at the positions ``inside``."""
    found, mean, room = table.found, table.mean, table.room
    if len(inside) == 1:
        (i,) = inside
        return Fit(table, inside, found[i], mean[i], room[i])
    return Fit(
        table, inside, sum([found[i] for i in inside]), sum([mean[i] for i in inside]), sum([room[i] for i in inside])
    )


def set_day_ratio(fit: Fit, day_spread: float, spread: float) -> None:
    """Set the ratio by which all cells outside the segment differ from what was expected, and its penalty.

    It is drawn towards 1 the more, the steadier days like this one are and the less significant the rest is.
    """
    table = fit.table
    rest_found = max(0.0, table.total_found - fit.found) + HALF_AN_EVENT
    rest_mean = max(0.0, table.total_mean - fit.mean) + HALF_AN_EVENT
    noise = 1 / rest_mean + spread * max(0.0, 1 - rest_mean / (table.total_mean + HALF_AN_EVENT))
    off = log(rest_found / rest_mean) * sqrt(day_spread) / (day_spread + noise)
    fit.step = round(max(-FARTHEST, min(FARTHEST, off)) * sqrt(day_spread) / STEP)
    fit.penalty = 0.5 * badness(abs(off))


def power_of(fit: Fit, spread: float) -> float:
    """Log-likelihood ratio of the segment having changed, in units of the noise of segments of its kind."""
    table = fit.table
    expected, found = exp(fit.step * STEP) * fit.mean, fit.found
    if table.floor_rate:  # all segments are compared above a common rate: having had nothing before earns no bonus
        floor = (fit.mean + fit.room) * table.floor_rate
        expected, found = floor, max(0.0, found - expected + floor)
    expected = expected or HALF_AN_EVENT
    ratio = found * log(found / expected) if found > 0 else 0.0
    if not table.floor_rate and found < expected:
        # Volumes vary by factors, which hardly ever leave nothing: negative binomial.
        size = table.dispersion / spread
        ratio -= (found + size) * log((found + size) / (expected + size))
        return ratio / (table.sampling * table.dispersion) - fit.penalty
    noise = table.sampling * (table.dispersion + spread * max(expected, fit.mean))
    return (ratio - found + expected) / noise - fit.penalty


def judge_cells(fit: Fit) -> None:
    """Set the gain of the fit: the log-likelihood of all cells of its table."""
    table, ratio = fit.table, exp(fit.step * STEP)
    total, by_cell = _outside(table, fit.step)
    change = (fit.found - ratio * fit.mean) / fit.room if fit.room > 0 else 0.0
    found, mean, room = table.found, table.mean, table.room
    cells = fit.inside
    changed = [ratio * mean[i] + change * room[i] for i in cells]
    inside = sum(_log_likelihoods([found[i] for i in cells], changed, table)) - sum([by_cell[i] for i in cells])
    fit.gain = total + inside - fit.penalty
