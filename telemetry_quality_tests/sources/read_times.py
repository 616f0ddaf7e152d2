"""How times are read, in Python: what every engine has to answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telemetry_quality.core.time_forms import (
    FIRST_SECOND,
    FORMS,
    ISO_8601,
    LAST_SECOND,
    UNITS_PER_SECOND,
    named_form,
    text_number,
)

if TYPE_CHECKING:
    from telemetry_quality.core.time_forms import TextForm, TextNumber

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST = 9_200_000_000_000_000_000


def read_number(number: Any, unit: str) -> int | None:
    """Ticks since 1970 of a number with fractions."""
    per_second = UNITS_PER_SECOND[unit]
    first, end = max(FIRST_SECOND * per_second, -LARGEST), min((LAST_SECOND + 1) * per_second, LARGEST)
    if not isinstance(number, (int, float)) or not first <= number < end:
        return None
    whole, per_unit = int(number // 1), 10**6 // UNITS_PER_SECOND[unit]
    if per_unit <= 1:
        return whole
    return whole * per_unit + min(per_unit - 1, int((number - whole) * per_unit + 0.5))


def read_time(text: object, unit: str | None = None, form: str | None = None) -> int | None:
    """Microseconds since 1970 of a time as text, without an offset in UTC; None for any other text.

    What is finer than a microsecond is cut: rounding could move an event into the next day.

    Args:
        text: What an event holds.
        unit: The unit of numbers; None if numbers are no times.
        form: The only format that is read; None for those that need no setting.
    """
    if not isinstance(text, str):
        return None
    if unit is not None and (number := _number(text, text_number(unit))) is not None:
        return number
    if form is None and (found := _microseconds(text)) is not None:
        return found
    forms = FORMS if form is None else (named_form(form),)
    known = next((known for known in forms if re.fullmatch(known.pattern, text)), None)
    return None if known is None else _microseconds(_as_iso(known, text))


def _number(text: str, number: TextNumber) -> int | None:
    if not re.fullmatch(number.pattern, text):
        return None
    whole, _, fraction = text.partition(".")
    if int(whole) > number.most:
        return None
    if not number.per_unit:
        return int(whole) // 1000
    return int(whole) * number.per_unit + int((fraction + "0" * 6)[: number.digits] or "0")


def _microseconds(text: str) -> int | None:
    if re.fullmatch(ISO_8601, text) is None:
        return None
    instant = datetime.fromisoformat(text)
    since = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - EPOCH
    return since // timedelta(microseconds=1)


def _as_iso(form: TextForm, text: str) -> str:
    for pattern, replacement in form.steps:
        text = re.sub(pattern, re.sub(r"\\([0-9])", r"\\g<\1>", replacement), text, count=1)
    for old, new in form.texts:
        text = text.replace(old, new)
    return text
