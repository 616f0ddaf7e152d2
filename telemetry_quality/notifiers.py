"""What a notifier declares, and which notifiers exist.

A notifier is one file: a settings model with its own keys of ``[alerts.NAME]``, and a function that sends a message.
Other packages provide notifiers by an entry point in the group ``telemetry_quality.notifiers``; see
docs/how-to/add-a-channel.md. A declaration must be cheap to import: clients of services are imported in ``send``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from telemetry_quality.connectors import SettingsTable
from telemetry_quality.extensions import find_extensions, load_extensions

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.messages.model import Message

BUILT_IN = ("apprise", "webhook")
"""The notifiers declared in ``notifications/kinds/``, each in the module of its name."""


class NotifierSettings(SettingsTable):
    """The keys that a notifier adds to ``[alerts.NAME]``; ``Field(repr=False)`` keeps a value out of messages."""


S = TypeVar("S", bound=NotifierSettings)


def _nothing_to_check(_: Any) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Notifier(Generic[S]):
    """A notifier for one kind of channel.

    Attributes:
        settings: The model of its own keys. Its first required key is the one by which a channel is of this kind.
        send: Sends a message within so many seconds; raises DeliveryError if the receiver did not accept it. It runs in
            a process of its own, which is ended if it takes longer.
        check: Raises DeliveryError if nothing can be sent with the settings, such as a package that is missing.
    """

    settings: type[S]
    send: Callable[[S, Message, float], None]
    check: Callable[[S], None] = _nothing_to_check

    def __post_init__(self) -> None:
        if not (isinstance(self.settings, type) and issubclass(self.settings, NotifierSettings)):
            raise TypeError("settings of a notifier must be a subclass of NotifierSettings")

    @property
    def key(self) -> str:
        """The first of its keys that must be set."""
        return next((name for name, field in self.settings.model_fields.items() if field.is_required()), "")


def notifier_names() -> tuple[str, ...]:
    """The names of all notifiers, those of other packages last.

    Raises:
        SettingsError: If two notifiers have the same name.
    """
    return (*BUILT_IN, *find_extensions("notifier", BUILT_IN))


def notifier(name: str) -> Notifier[Any]:
    """The notifier called ``name``, one of ``notifier_names``; only this notifier is imported.

    Raises:
        SettingsError: If it fails to load.
    """
    if name in BUILT_IN:
        return _built_in(name)
    return find_extensions("notifier", BUILT_IN)[name].load(Notifier)


def notifiers() -> dict[str, Notifier[Any]]:
    """All notifiers by name.

    Raises:
        SettingsError: If a notifier fails to load, or two have the same name.
    """
    return {name: _built_in(name) for name in BUILT_IN} | load_extensions("notifier", Notifier, BUILT_IN)


@cache
def _built_in(name: str) -> Notifier[Any]:
    # By name, like an entry point: notifications are layered above this module.
    declared: Notifier[Any] = import_module(f"telemetry_quality.notifications.kinds.{name}").NOTIFIER
    return declared
