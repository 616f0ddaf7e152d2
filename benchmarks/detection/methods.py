"""The registry: every method that is judged, by its name on the command line and in docs/detection.md."""

from __future__ import annotations

from detection import ours, peers, plain
from detection.plain import r30
from detection.protocol import Method

_STATSMODELS = ("statsmodels",)

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
    Method("profile_holidays_r30", "… with a holiday calendar, r30", r30(plain.profile_with_holidays)),
    Method("profile_both", "log trend + weekday profile, r30 and band", plain.profile_both),
    Method("profile_holidays_both", "… with a holiday calendar, r30 and band", plain.profile_with_holidays_both),
    Method("elementary", "Elementary, volume anomalies", peers.elementary),
    Method("dbt_expectations", "dbt-expectations, moving sigma", peers.dbt_expectations),
    Method("deequ", "Deequ, weekly Holt-Winters", peers.deequ, sample=40, leak_starts=1),
    Method("testgen", "DataKitchen TestGen, SARIMAX", peers.testgen, needs=_STATSMODELS, sample=20, leak_starts=0),
    Method("soda", "Soda v3, Prophet", peers.soda, needs=("prophet",), sample=10, leak_starts=0),
    Method("ours_deviation", "telemetry-quality, deviation", ours.deviation),
    Method("ours_unusual", "telemetry-quality, unusual", ours.unusual),
    Method("ours_both", "telemetry-quality, both (default)", ours.deviation_and_unusual),
    Method("ours_either", "telemetry-quality, deviation or unusual", ours.deviation_or_unusual),
    Method("ours_leak", "telemetry-quality, leak check", finds=ours.leak),
)

METHODS = {method.name: method for method in ALL}
