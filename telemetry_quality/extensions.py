"""Extensions: what other installed packages provide, found by their entry points.

Finding extensions reads the metadata of installed packages without importing them; loading imports what an entry
point names. A failure becomes one sentence that names the package to repair.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

from telemetry_quality.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

CONNECTORS = "telemetry_quality.connectors"
GUARDRAILS = "telemetry_quality.guardrails"
NOTIFIERS = "telemetry_quality.notifiers"

GROUPS = {"connector": CONNECTORS, "guardrail": GUARDRAILS, "notifier": NOTIFIERS}
"""The kinds of extensions, and the group of entry points in which each is declared."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extension:
    """An entry point of an installed package.

    Attributes:
        kind: The kind of extension, a key of ``GROUPS``.
        name: The name of the entry point, which settings use.
        package: The package that declares it.
        version: The package's version.
    """

    kind: str
    name: str
    package: str
    version: str
    entry_point: EntryPoint

    def load(self, expected: type[T]) -> T:
        """Import what the entry point names.

        Raises:
            SettingsError: If that fails or the result is not an ``expected``.
        """
        try:
            found = self.entry_point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a foreign module may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(".")
            raise SettingsError(f"{self} must load, but failed with {reason}; {self.remedy}") from None
        if not isinstance(found, expected):
            raise SettingsError(
                f"{self} must be of type {expected.__module__}.{expected.__name__}, "
                f"but is of type {type(found).__name__}; {self.remedy}"
            )
        return found

    @property
    def remedy(self) -> str:
        """What to do if the extension cannot be used."""
        return f"repair or uninstall {self.package}."

    def __str__(self) -> str:
        return f"The {self.kind} {self.name!r} of {self.package} {self.version} ({self.entry_point.value})"


def find_extensions(kind: str, built_in: Sequence[str] = ()) -> dict[str, Extension]:
    """The extensions of a kind by name, without importing them.

    Args:
        kind: A key of ``GROUPS``.
        built_in: The names that the project itself uses.

    Raises:
        SettingsError: If two extensions have the same name, or an extension has a built-in name.
    """
    found: dict[str, Extension] = {}
    for extension in _found(GROUPS[kind], kind, tuple(sys.path)):
        other = "the one built in" if extension.name in built_in else found.get(extension.name)
        if other is not None:
            owner = other if isinstance(other, str) else f"that of {other.package} {other.version}"
            raise SettingsError(
                f"{extension} must have a name of its own, but {owner} has the same; "
                f"rename it or uninstall {extension.package}."
            )
        found[extension.name] = extension
    return found


@lru_cache(maxsize=8)
def _found(group: str, kind: str, path: tuple[str, ...]) -> tuple[Extension, ...]:
    """The extensions in order of name; cached, since the search takes 10 to 20 ms and depends only on ``path``."""
    del path
    extensions = (
        Extension(kind, point.name, point.dist.name, point.dist.version, point)
        for point in entry_points(group=group)
        if point.dist is not None
    )
    return tuple(sorted(extensions, key=lambda extension: (extension.name, extension.package)))


def load_extensions(kind: str, expected: type[T], built_in: Sequence[str] = ()) -> dict[str, T]:
    """Every extension of a kind by name, imported.

    Raises:
        SettingsError: If one fails to load, is not an ``expected``, or has the name of another.
    """
    return {name: extension.load(expected) for name, extension in find_extensions(kind, built_in).items()}
