"""How people write times as text: which forms are read, and what they mean.

A form is a regular expression and the steps that rewrite a text of this form as ISO 8601, which every engine reads
alike; ``sources/times.py`` says them in SQL. The expressions use only what all engines' regular expressions have in
common: no look-around, no backslashes, and no more than nine groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

UNITS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""The units in which numbers count the time since 1970."""

AUTO = "auto"
"""Stands for the unit that the numbers themselves show."""

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
"""Any but 0000, which no calendar of all engines has."""

_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERED = ("(?:0[13578]|1[02])", "(?:0[469]|11)", "02")
_NAMED = ("(?:Jan|Mar|May|Jul|Aug|Oct|Dec)", "(?:Apr|Jun|Sep|Nov)", "Feb")
"""Months of 31 days, of 30 days, and February."""


def _dates(layout: str, months: tuple[str, str, str] = _NUMBERED) -> str:
    """Matches only dates that exist, in a layout such as ``{y}-{m}-{d}``."""
    long, short, february = months
    kinds = (
        (_YEAR, long, "(?:0[1-9]|[12][0-9]|3[01])"),
        (_YEAR, short, "(?:0[1-9]|[12][0-9]|30)"),
        (_YEAR, february, "(?:0[1-9]|1[0-9]|2[0-8])"),
        (_LEAP_YEAR, february, "29"),
    )
    return f"(?:{'|'.join(layout.format(y=year, m=month, d=day) for year, month, day in kinds)})"


_DATE = _dates("{y}-{m}-{d}")
_HOUR, _SIXTIETH = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_TIME = f"{_HOUR}:{_SIXTIETH}:{_SIXTIETH}"
_OFFSET = "[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?"

ISO_8601 = f"{_DATE}[T ]{_TIME}(?:[.][0-9]+)?(?:Z|{_OFFSET})?"
"""What every engine reads alike; matches only dates and times that exist, so that no cast can fail."""

_MONTH_NUMBERS = tuple((name, f"{number:02}") for number, name in enumerate(_MONTHS, start=1))
_ANY_MONTH = f"(?:{'|'.join(_MONTHS)})"
_ANY_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"


@dataclass(frozen=True, slots=True)
class TextForm:
    """One way of writing a time.

    Attributes:
        pattern: Matches texts of this form as a whole.
        is_certain: Whether it matches only dates and times that exist.
        steps: Regular expressions and what replaces their first match, in order.
        texts: Texts and what replaces each of their occurrences afterwards.
    """

    name: str
    pattern: str
    steps: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...] = ()
    is_certain: bool = True


_ZONE = f"(?: ?Z| UTC| GMT| ?{_OFFSET}(?: UTC)?)?"
_WITHOUT_BLANKS = ((" UTC", ""), (" GMT", ""), (" +", "+"), (" -", "-"), (" Z", "Z"), (",", "."))
_WITH_ZONE = TextForm("ISO 8601", f"{_DATE}[T ]{_TIME}(?:[.,][0-9]+)?{_ZONE}", (), _WITHOUT_BLANKS)
_MINUTES = TextForm(
    "ISO 8601 without seconds",
    f"{_DATE}[T ]{_HOUR}:{_SIXTIETH}{_ZONE}",
    (("^(.{16})", r"\1:00"),),
    _WITHOUT_BLANKS,
)
_DAY = TextForm("ISO 8601 date", _DATE, (("^(.{10})", r"\1T00:00:00"),))
_BASIC = TextForm(
    "basic ISO 8601",
    f"{_dates('{y}{m}{d}')}T{_HOUR}{_SIXTIETH}{_SIXTIETH}(?:[.,][0-9]+)?(?:Z|{_OFFSET})?",
    (("^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})", r"\1-\2-\3T\4:\5:\6"),),
    ((",", "."),),
)
_MAIL_ZONE = "(?:Z|UT|UTC|GMT|[+-](?:0[0-9]|1[0-5])[0-5][0-9])"
_RFC_2822 = TextForm(
    "RFC 2822",
    f"{_ANY_WEEKDAY}, {_dates('{d} {m} {y}', _NAMED)} {_TIME} {_MAIL_ZONE}",
    (
        (
            "^[A-Za-z]+, ([0-9]{2}) ([A-Za-z]{3}) ([0-9]{4}) ([0-9:]{8}) (?:[A-Z]+|([+-][0-9]{4}))$",
            r"\3-\2-\1T\4\5",
        ),
    ),
    _MONTH_NUMBERS,
)
_RFC_2822_DIGIT = TextForm(
    "RFC 2822 with a day of one digit",
    f"{_ANY_WEEKDAY}, [1-9] {_ANY_MONTH} {_YEAR} {_TIME} {_MAIL_ZONE}",
    (
        (
            "^[A-Za-z]+, ([0-9]) ([A-Za-z]{3}) ([0-9]{4}) ([0-9:]{8}) (?:[A-Z]+|([+-][0-9]{4}))$",
            r"\3-\2-0\1T\4\5",
        ),
    ),
    _MONTH_NUMBERS,
)
FORMS = (_WITH_ZONE, _DAY, _MINUTES, _BASIC, _RFC_2822, _RFC_2822_DIGIT)
"""What is read without a setting, besides ISO_8601 itself."""

_NUMBERS = {
    "s": "[0-9]{1,12}([.][0-9]+)?",
    "ms": "[0-9]{1,15}([.][0-9]+)?",
    "us": "[0-9]{1,18}([.][0-9]+)?",
    "ns": "([0-9]{1,18}|[1-8][0-9]{18})([.][0-9]+)?",
}
"""Numbers since 1970 as text, none of them too large for 64 bits once they are microseconds."""

LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class TextNumber:
    """How a number since 1970 is read from text: whole microseconds, what is finer is cut.

    Attributes:
        pattern: Matches such numbers as a whole.
        per_unit: Microseconds per unit; 0 for nanoseconds.
        digits: How many digits of the fraction count.
        most: The greatest whole number.
    """

    pattern: str
    per_unit: int
    digits: int
    most: int


def text_number(unit: str) -> TextNumber:
    """How numbers of ``unit`` are read from text."""
    per_second = UNITS_PER_SECOND[unit]
    per_unit = 10**6 // per_second
    most = min(LAST_SECOND * per_second + per_second - 1, 9 * 10**18 - 1)
    return TextNumber(_NUMBERS[unit], per_unit, len(str(max(per_unit, 1))) - 1, most)


_FIRST_UNMISTAKABLE, _END_UNMISTAKABLE = 10**9, 10**10
"""Seconds of 2001-09-09 and 2286-11-20: no number between them is also a time of these years in another unit."""


def unit_of_numbers(numbers: Sequence[Decimal]) -> tuple[str | None, str]:
    """The unit in which all ``numbers`` are times of the years 2001 to 2286, and words for what was found.

    Zeros say nothing and have to be left out. None if they fit no unit, or not the same.
    """
    if not numbers:
        return None, "there are none"
    low, high = min(numbers), max(numbers)
    for unit, per_second in UNITS_PER_SECOND.items():
        if _FIRST_UNMISTAKABLE * per_second <= low and high < _END_UNMISTAKABLE * per_second:
            return unit, f"all are in {unit}"
    return None, f"they lie between {low:,f} and {high:,f}"


_LETTERS = {
    "Y": ("year", "[0-9]{4}"),
    "m": ("month", "[0-9]{1,2}"),
    "b": ("month", _ANY_MONTH),
    "d": ("day", "[0-9]{1,2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "I": ("hour", "1[0-2]|0?[1-9]"),
    "p": ("half", "[AP]M"),
    "M": ("minute", "[0-9]{2}"),
    "S": ("second", "[0-9]{2}"),
    "f": ("fraction", "[0-9]+"),
    "z": ("zone", "Z|[+-][0-9]{2}:?[0-9]{2}"),
    "a": ("weekday", _ANY_WEEKDAY),
}
"""The letters of a named format, what they stand for and what they match."""

_AS_24_HOURS = (
    *(("AM12", "00"), ("PM12", "12")),
    *((f"PM{hour:02}", str(hour + 12)) for hour in range(1, 12)),
    ("AM", ""),
)


class TimeFormatError(ValueError):
    """A format that cannot be read; says what is required."""


@lru_cache(maxsize=64)
def named_form(text: str) -> TextForm:
    """The form that a format such as ``%d/%m/%Y %H:%M:%S`` names.

    A day, month or hour may have one digit or two, but has two where another letter follows at once.

    Raises:
        TimeFormatError: If it is not a format, or leaves out the year, month or day.
    """
    names: list[str] = []
    pattern = ""
    for part in re.split("(%.)", text):
        if part == "%%":
            pattern += "[%]"
        elif re.fullmatch("%.", part, re.DOTALL):
            pattern += _group(part[1], names)
        elif "%" in part:
            raise TimeFormatError("may have % only before a letter, but % alone was found")
        else:
            pattern += _literally(part)
    # Two numbers without anything between them have two digits each.
    pattern = re.sub(r"\{1,2\}\)(?=\(\[0-9\])", "{2})", pattern)
    pattern = re.sub(r"(\[0-9\]\{[24]\}\)\(\[0-9\])\{1,2\}", r"\1{2}", pattern)
    _require_parts(text, names)
    return TextForm(text, pattern, _rewriting(pattern, names), _replaced_texts(pattern, names), is_certain=False)


def _group(letter: str, names: list[str]) -> str:
    if letter not in _LETTERS:
        allowed = " ".join(f"%{known}" for known in _LETTERS)
        raise TimeFormatError(f"may have only {allowed} and %%, but %{letter} was found")
    name, matched = _LETTERS[letter]
    if name == "weekday":
        return matched
    if name in names:
        raise TimeFormatError(f"may name the {name} only once")
    names.append(name)
    return f"({matched})"


def _literally(text: str) -> str:
    """A pattern for a text itself, in which no letter has a meaning."""
    if not text.isascii() or not text.isprintable():
        raise TimeFormatError("may have only printable ASCII characters")
    return "".join(
        character if character.isalnum() or character in " /:,-_" else f"[{character}]"
        for character in _escapable(text)
    )


def _escapable(text: str) -> str:
    if forbidden := set(text) & set("^\\[]&~"):
        raise TimeFormatError(f"may not have {min(forbidden)} in it")
    return text


def _require_parts(text: str, names: Iterable[str]) -> None:
    named = set(names)
    if missing := {"year", "month", "day"} - named:
        raise TimeFormatError(f"requires %Y, %m or %b, and %d, but {text!r} has no {min(missing)}")
    if ("%p" in text) != ("%I" in text):
        raise TimeFormatError("requires %I and %p together, or %H instead")
    parts = [name in named for name in ("hour", "minute", "second")]
    if parts != sorted(parts, reverse=True):
        raise TimeFormatError("requires %H before %M before %S")
    if "fraction" in named and "second" not in named:
        raise TimeFormatError("requires %S where it has %f")


def _rewriting(pattern: str, names: list[str]) -> tuple[tuple[str, str], ...]:
    """The steps from a text of the form to ISO 8601."""

    def part(name: str, before: str = "", missing: str = "") -> str:
        return f"{before}\\{names.index(name) + 1}" if name in names else missing

    written = (
        f"{part('year')}-{part('month')}-{part('day')}T{part('half')}{part('hour', missing='00')}"
        f"{part('minute', ':', ':00')}{part('second', ':', ':00')}{part('fraction', '.')}{part('zone')}"
    )
    return (
        (f"^{pattern}$", written),
        ("^([0-9]{4})-([0-9])-", r"\1-0\2-"),
        ("^([0-9]{4}-[0-9A-Za-z]+)-([0-9])T", r"\1-0\2T"),
        ("T([AP]?M?)([0-9]):", r"T\10\2:"),
    )


def _replaced_texts(pattern: str, names: list[str]) -> tuple[tuple[str, str], ...]:
    months = _MONTH_NUMBERS if "Jan|" in pattern else ()
    return (*months, *(_AS_24_HOURS if "half" in names else ()))
