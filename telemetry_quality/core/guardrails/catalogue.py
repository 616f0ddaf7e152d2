"""The catalogue: the guardrails of this package and of others, and everything derived from all of them."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.guardrails import (
    activity,
    arrival_lag,
    cardinality,
    critical_fields,
    dimensions,
    duplicates,
    error_burst,
    error_rate,
    leak,
    missing_hours,
    missing_version,
    rates,
    sample,
    segment_errors,
    segment_volume,
    silence,
    timestamps,
    unreadable_times,
    version_drift,
    volume,
)
from telemetry_quality.core.guardrails.guardrail import ExtraNumber, Guardrail
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome, Verdict
from telemetry_quality.core.metrics import METRICS, Unit, extra_metric
from telemetry_quality.core.metrics import NAMES as METRIC_NAMES
from telemetry_quality.core.policies import SHARED, Policy
from telemetry_quality.errors import SettingsError
from telemetry_quality.extensions import load_extensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry_quality.core.event_schema import EventSchema, Rate
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.metrics import Metric
    from telemetry_quality.core.policies import Setting

log = logging.getLogger(__name__)

GUARDRAIL_BROKEN = "GUARDRAIL_BROKEN"
"""Why a day fails whose guardrail, from another package, could not judge it."""

BUILT_IN: tuple[Guardrail, ...] = (
    activity.GUARDRAIL,
    error_rate.GUARDRAIL,
    missing_version.GUARDRAIL,
    volume.GUARDRAIL,
    sample.GUARDRAIL,
    duplicates.GUARDRAIL,
    silence.GUARDRAIL,
    segment_errors.GUARDRAIL,
    segment_volume.GUARDRAIL,
    leak.GUARDRAIL,
    missing_hours.GUARDRAIL,
    error_burst.GUARDRAIL,
    version_drift.GUARDRAIL,
    critical_fields.GUARDRAIL,
    dimensions.GUARDRAIL,
    cardinality.GUARDRAIL,
    arrival_lag.GUARDRAIL,
    timestamps.GUARDRAIL,
    unreadable_times.GUARDRAIL,
)
"""The guardrails of this package, in the order in which they are judged and shown."""


def guardrails() -> tuple[Guardrail, ...]:
    """All guardrails; those of other packages come last.

    Raises:
        SettingsError: If a guardrail of another package fails to load, or uses a name that is taken.
    """
    return _with_extensions(tuple(sys.path))


@lru_cache(maxsize=4)
def _with_extensions(path: tuple[str, ...]) -> tuple[Guardrail, ...]:
    """All guardrails, cached by the import path, since that alone decides which packages are found."""
    del path
    found = list(BUILT_IN)
    for name, rule in load_extensions("guardrail", Guardrail, tuple(rule.name for rule in BUILT_IN)).items():
        if complaint := _complaint(name, rule, found):
            raise SettingsError(f"The guardrail {name!r} of another package {complaint}; correct or uninstall it.")
        found.append(rule)
    return tuple(found)


def _complaint(name: str, rule: Guardrail, found: Iterable[Guardrail]) -> str | None:
    """What is wrong with the names of a guardrail from another package; None if nothing is."""
    if rule.name != name:
        return f"must have the name of its entry point, but is called {rule.name!r}"
    if name.startswith(rates.PREFIX):
        return f"must not have a name that begins with {rates.PREFIX}, which is reserved for a source's own rates"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return "must be named in lower-case words such as night_share"
    taken = {setting.name for setting in settings_of(found)} & {setting.name for setting in rule.all_settings}
    numbers = {number.metric.name for number in rule.numbers}
    taken |= numbers & {*METRIC_NAMES, *(number.metric.name for other in found for number in other.numbers)}
    taken |= {number for number in numbers if number.startswith(rates.PREFIX)}
    return f"must have settings and numbers of its own, but {min(taken)} is taken" if taken else None


def guardrails_of(schema: EventSchema) -> tuple[Guardrail, ...]:
    """The guardrails that can judge a source of this schema, in the order of ``guardrails``; its own rates last."""
    return (*(rule for rule in guardrails() if rule.applies(schema)), *rates.rate_guardrails(schema.rates))


def guardrail_named(name: str) -> Guardrail | None:
    """The guardrail called ``name``; None if it is no longer installed.

    Only its source knows a rate in full: here it has no limits of its own, and a default level and description.
    """
    known = next((rule for rule in guardrails() if rule.name == name), None)
    return known or rates.rate_guardrail_named(name)


def metric_named(name: str) -> Metric:
    """The declaration of the number called ``name``; if nothing declares it any more, what its name shows."""
    for metric in (*METRICS, *(number.metric for rule in guardrails() for number in rule.numbers)):
        if metric.name == name:
            return metric
    unit = Unit.PERCENT if name.endswith("_percent") else Unit.EVENTS
    label = name.removesuffix("_percent").replace("_", " ").capitalize()
    return extra_metric(name, label, "A number of a guardrail that is not installed here.", unit)


def settings_of(rules: Iterable[Guardrail]) -> Iterator[Setting[Any]]:
    """Every setting of the judgement: each guardrail's own settings in their order, then the shared ones."""
    for rule in rules:
        yield from rule.all_settings
    yield from SHARED


def policy_of(own_rates: tuple[Rate, ...] = (), /, **values: Any) -> Policy:
    """The policy with these values, and with the default of every other setting.

    Args:
        own_rates: The source's own rates, whose limits apply as declared.
        values: Values by the name of their setting.

    Raises:
        TypeError: If a name is not a setting.
    """
    rules = (*guardrails(), *rates.rate_guardrails(own_rates))
    settings = {setting.name: setting for setting in settings_of(rules)}
    if unknown := values.keys() - settings.keys():
        raise TypeError(f"A policy requires names of settings, but {', '.join(sorted(unknown))} were given.")
    given = {name: values.get(name, setting.default) for name, setting in settings.items()}
    # 5 and 5.0 are the same threshold.
    real = {name: float(given[name]) for name, setting in settings.items() if isinstance(setting.default, float)}
    # JSON, which policies are stored in, has lists only.
    several = {name: tuple(given[name]) for name, setting in settings.items() if isinstance(setting.default, tuple)}
    return Policy(given | real | several)


def judge_day(evidence: Evidence, policy: Policy, schema: EventSchema) -> tuple[Verdict, ...]:
    """One verdict per guardrail of the source; all are unknown if the day could not be read."""
    rules = guardrails_of(schema)
    figures = evidence.figures
    if figures.unreadable_reason_code is not None:
        sentence = f"The day could not be read ({figures.unreadable_reason_code}): {figures.unreadable_reason}"
        return tuple(
            Verdict(rule.name, rule.level, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, sentence) for rule in rules
        )
    return tuple(judge_by(rule, evidence, policy) for rule in rules)


def _outside() -> tuple[Guardrail, ...]:
    """The guardrails of other packages."""
    return guardrails()[len(BUILT_IN) :]


def judge_by(rule: Guardrail, evidence: Evidence, policy: Policy) -> Verdict:
    """The verdict of one guardrail; one of another package that breaks fails the day, and stops no other guardrail."""
    if rule not in _outside():
        return rule.judge(evidence, policy)
    try:
        for number in rule.numbers:
            if evidence.figures.number(number.metric.name) is None:
                _finite(number, evidence)
        return rule.judge(evidence, policy)
    except Exception as error:
        log.exception("The guardrail %s could not judge %s", rule.name, evidence.day)
        sentence = (
            f"The guardrail {rule.name} could not judge the day ({type(error).__name__}); "
            "the log has the details: repair or uninstall its package."
        )
        return Verdict(rule.name, Level.WARNING, Outcome.FAILED, GUARDRAIL_BROKEN, None, None, sentence)


def with_extra_numbers(evidence: Evidence, rules: Iterable[Guardrail]) -> Evidence:
    """The evidence with the numbers that ``rules`` add; a day that could not be read gets none."""
    if evidence.figures.unreadable_reason_code is not None:
        return evidence
    extra = {
        number.metric.name: _computed(number, evidence) if rule in _outside() else number.compute(evidence)
        for rule in rules
        for number in rule.numbers
    }
    return replace(evidence, figures=replace(evidence.figures, extra_numbers=extra)) if extra else evidence


def _computed(number: ExtraNumber, evidence: Evidence) -> float | None:
    """The number, unknown where computing it breaks: ``judge_day`` reports that."""
    try:
        return _finite(number, evidence)
    except Exception:  # noqa: BLE001 - it is logged when its guardrail judges
        return None


def _finite(number: ExtraNumber, evidence: Evidence) -> float | None:
    """The number as the store can hold it.

    Raises:
        ValueError: If it is infinite or not a number.
    """
    found = number.compute(evidence)
    if found is None:
        return None
    if not isfinite(found):
        raise ValueError(f"{number.metric.name} must be finite, but {found} was computed")
    return float(found)
