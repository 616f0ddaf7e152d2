"""The registry: every method that is judged, by its name on the command line and in docs/explanation/detection.md.

This project's own methods come twice: as shipped, which is without a calendar, and with that of the series' country.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detection import ours, peers, plain
from detection.plain import r30
from detection.protocol import LEAK_STARTS, Method

if TYPE_CHECKING:
    from collections.abc import Callable

    from detection.protocol import Days, Limits

_STATSMODELS = ("statsmodels",)
WITH_CALENDAR = "_calendar"
"""How the name of a method ends that knows the holidays of the series' country."""


def _ours(
    name: str,
    title: str,
    limits: Callable[[Days, int], Limits | None] | None = None,
    finds: Callable[[Days, int], bool] | None = None,
    leak_starts: int = LEAK_STARTS,
) -> tuple[Method, Method]:
    """A method of this project as shipped, and with the calendar of the series' country."""
    as_shipped = Method(
        f"ours_{name}",
        f"telemetry-quality, {title}",
        limits and ours.as_shipped(limits),
        finds and ours.as_shipped(finds),
        leak_starts=leak_starts,
    )
    with_calendar = Method(
        f"{as_shipped.name}{WITH_CALENDAR}",
        "… with the country's calendar",
        limits,
        finds,
        leak_starts=leak_starts,
        label=f"{as_shipped.title.removesuffix(' (default)')}, calendar",
    )
    return as_shipped, with_calendar


ALL = (
    Method("trailing_mean_r30", "trailing 7-day mean, r30", r30(plain.trailing_mean)),
    Method("weekday_median_r30", "same weekday, median of 4 weeks, r30", r30(plain.weekday_median)),
    Method("weekday_mad_band", "same weekday, median ± 3 MAD of 8 weeks", plain.weekday_mad_band),
    Method("stl_r30", "STL on log counts, r30", r30(plain.stl), needs=_STATSMODELS, leak_starts=1),
    Method(
        "holt_winters_r30",
        "Holt-Winters (ETS AAA) on log counts, r30",
        r30(plain.holt_winters),
        needs=_STATSMODELS,
        sample=60,
        leak_starts=1,
    ),
    Method("profile_r30", "log trend + weekday profile, r30", r30(plain.profile)),
    Method(
        "profile_holidays_r30",
        "… with a holiday calendar, r30",
        r30(plain.profile_with_holidays),
        label="profile with a holiday calendar, r30",
    ),
    Method("profile_both", "log trend + weekday profile, r30 and band", plain.profile_both),
    Method(
        "profile_holidays_both",
        "… with a holiday calendar, r30 and band",
        plain.profile_with_holidays_both,
        label="profile with a holiday calendar, r30 and band",
    ),
    Method("elementary", "Elementary, volume anomalies", peers.elementary),
    Method("dbt_expectations", "dbt-expectations, moving sigma", peers.dbt_expectations),
    Method("deequ", "Deequ, weekly Holt-Winters", peers.deequ, sample=40, leak_starts=1),
    Method("testgen", "DataKitchen TestGen, SARIMAX", peers.testgen, needs=_STATSMODELS, sample=20, leak_starts=0),
    Method("soda", "Soda v3, Prophet", peers.soda, needs=("prophet",), sample=10, leak_starts=0),
    *_ours("deviation", "deviation", limits=ours.deviation),
    *_ours("unusual", "unusual", limits=ours.unusual),
    *_ours("both", "both (default)", limits=ours.deviation_and_unusual),
    *_ours("either", "deviation or unusual", limits=ours.deviation_or_unusual),
    *_ours("leak", "leak check", finds=ours.leak),
    *_ours("all", "default and leak check together", finds=ours.any_guardrail, leak_starts=0),
)

METHODS = {method.name: method for method in ALL}
