"""Turns what pydantic finds wrong with the settings into one sentence.

Values that may contain a password are not repeated: fields that are hidden from ``repr``, and URLs.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from telemetry_quality.connectors import connector
from telemetry_quality.notifiers import notifier
from telemetry_quality.settings.alerts import CHANNEL_SETTINGS, AlertSettings, built_in_channel_keys
from telemetry_quality.settings.guardrails import GuardrailSettings, guardrail_settings
from telemetry_quality.settings.models import Settings
from telemetry_quality.settings.sources import CONNECTOR_SETTINGS, SourceSettings, built_in_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One pydantic error, located where the user made the mistake.

    Attributes:
        keys: The path to the mistake in the file.
        owner: The connector or notifier that declares the key; None if every source or channel has the key, or others.
    """

    keys: tuple[str, ...]
    owner: str | None
    kind: str
    message: str
    found: Any

    @classmethod
    def of(cls, error: ErrorDetails) -> _Mistake:
        keys, owner = tuple(str(part) for part in error["loc"]) or ("",), None
        if keys[2:3] in {(CONNECTOR_SETTINGS,), (CHANNEL_SETTINGS,)} and len(keys) > 3:
            keys, owner = (*keys[:2], *keys[4:]), keys[3]
        return cls(keys, owner, error["type"], error["msg"], error["input"])

    @property
    def key(self) -> str:
        return ".".join(self.keys)

    @property
    def parents(self) -> tuple[str, ...]:
        return self.keys[:-1]

    @property
    def is_own(self) -> bool:
        """Whether the key is one of a connector's or notifier's own, or is missing from them."""
        return self.owner is not None and len(self.keys) == 3

    @property
    def is_unknown(self) -> bool:
        """Whether no built-in connector or notifier takes the key either."""
        known = built_in_channel_keys() if self.keys[0] == "alerts" else built_in_keys()
        return self.kind == "extra_forbidden" and not (self.is_own and self.keys[-1] in known)


def sentences(error: ValidationError) -> list[str]:
    """Describe every mistake. Unknown keys come first, because a missing key may only be misspelt."""
    mistakes = [_Mistake.of(found) for found in error.errors(include_url=False)]
    return list(dict.fromkeys(map(_sentence, sorted(mistakes, key=lambda mistake: not mistake.is_unknown))))


def _sentence(mistake: _Mistake) -> str:
    if mistake.is_unknown:
        return _unknown_key(mistake)
    if mistake.is_own and mistake.kind in {"missing", "extra_forbidden"}:
        verb = "requires" if mistake.kind == "missing" else "does not take"
        owner = "a channel of the kind" if mistake.keys[0] == "alerts" else "connector"
        return f"{'.'.join(mistake.parents)}: {owner} {mistake.owner!r} {verb} {mistake.keys[-1]}."
    if mistake.kind == "missing":
        if mistake.parents and mistake.parents[-1] == "roles":
            return f"{mistake.key} is required, but no column was named for this role; name one or choose a preset."
        return f"{mistake.key} is required, but was not found."
    if mistake.kind in {"dict_type", "model_type"}:
        return f"{mistake.key}: should be a table of settings, but something else was found."
    return _wrong_value(mistake)


def _unknown_key(mistake: _Mistake) -> str:
    table = _table_of(mistake)
    allowed = list(_fields(table, mistake.owner)) if table else []
    close = difflib.get_close_matches(mistake.keys[-1], allowed, n=1)
    hint = f"did you mean {close[0]}?" if close else "remove it."
    return f"{mistake.key} is not a setting; allowed here are {', '.join(allowed)}; {hint}"


def _wrong_value(mistake: _Mistake) -> str:
    reason = mistake.message.removeprefix("Value error, ")
    reason = f"{reason[:1].lower()}{reason[1:]}".removeprefix("input ")
    if mistake.kind == "string_too_short":
        reason = "should not be empty"
    says_what_was_found = " was found" in reason
    if says_what_was_found or not _may_be_repeated(mistake):
        return f"{mistake.key}: {reason}."
    return f"{mistake.key}: {reason}, but {mistake.found!r} was found."


def _may_be_repeated(mistake: _Mistake) -> bool:
    values = mistake.found if isinstance(mistake.found, list) else [mistake.found]
    if not all(isinstance(value, (int, float, str, date)) for value in values) or "://" in str(values):
        return False
    return all(field is None or field.repr for _, field in _path(mistake.keys, mistake.owner))


def _table_of(mistake: _Mistake) -> type[BaseModel] | None:
    """The model of the table that contains the last key; None if the settings have no such table."""
    return ([None, *(table for table, _ in _path(mistake.keys, mistake.owner))])[-1]


def _path(keys: Sequence[str], owner: str | None) -> Iterator[tuple[type[BaseModel], FieldInfo | None]]:
    """Every table on the way to the last key, with the field that leads on; names chosen by the user are skipped."""
    table: type[BaseModel] | None = Settings
    is_name = False
    for key in keys:
        if is_name:
            is_name = False
            continue
        if table is None:
            return
        field = _fields(table, owner).get(key)
        yield table, field
        annotation = field.annotation if field else None
        table, is_name = _table_in(annotation), get_origin(annotation) is dict


def _fields(table: type[BaseModel], owner: str | None) -> Mapping[str, FieldInfo]:
    """The keys of a table; those of a source's connector or of a channel's notifier come right after its name."""
    if table is GuardrailSettings:
        return guardrail_settings().model_fields
    if table is AlertSettings:
        own = notifier(owner).settings.model_fields if owner else {}
        return {"kind": table.model_fields["kind"], **own, **AlertSettings.common_fields()}
    if table is not SourceSettings:
        return table.model_fields
    own = connector(owner).settings.model_fields if owner else {}
    return {"connector": table.model_fields["connector"], **own, **SourceSettings.common_fields()}


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The model in a field's type: of ``Model``, ``Model | None`` or ``dict[str, Model]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((table for part in get_args(annotation) if (table := _table_in(part)) is not None), None)
