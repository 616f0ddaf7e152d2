"""Extensions: what other installed packages bring, found by their entry points.

Finding reads the metadata of installed packages and imports nothing of theirs; loading imports what an entry
point names. What fails becomes one sentence that says which package to repair.
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

GROUPS = {"connector": CONNECTORS, "guardrail": GUARDRAILS}
"""What an extension may be, and the group of entry points in which it is declared."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extension:
    """One entry point of an installed package.

    Attributes:
        kind: What it is, a key of ``GROUPS``.
        name: The name of the entry point, by which settings refer to it.
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
            SettingsError: If that fails, or gives something else than ``expected``.
        """
        try:
            found = self.entry_point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a module of others may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(".")
            raise SettingsError(f"{self} must load, but it says {reason}; {self.remedy}") from None
        if not isinstance(found, expected):
            raise SettingsError(
                f"{self} must be of the type {expected.__module__}.{expected.__name__}, "
                f"but is of the type {type(found).__name__}; {self.remedy}"
            )
        return found

    @property
    def remedy(self) -> str:
        """What to do where it cannot be used."""
        return f"repair or uninstall {self.package}."

    def __str__(self) -> str:
        return f"The {self.kind} {self.name!r} of {self.package} {self.version} ({self.entry_point.value})"


def find_extensions(kind: str, built_in: Sequence[str] = ()) -> dict[str, Extension]:
    """The extensions of one kind by name, none of them imported.

    Args:
        kind: A key of ``GROUPS``.
        built_in: The names that the project itself has given away.

    Raises:
        SettingsError: If two of them have one name, or one has a name of ours.
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
    """In the order of names; the search takes 10 to 20 ms, and depends on nothing but where Python looks."""
    del path
    extensions = (
        Extension(kind, point.name, point.dist.name, point.dist.version, point)
        for point in entry_points(group=group)
        if point.dist is not None
    )
    return tuple(sorted(extensions, key=lambda extension: (extension.name, extension.package)))


def load_extensions(kind: str, expected: type[T], built_in: Sequence[str] = ()) -> dict[str, T]:
    """Every extension of one kind by name, imported.

    Raises:
        SettingsError: If one fails to load, is no ``expected``, or has a name that another has.
    """
    return {name: extension.load(expected) for name, extension in find_extensions(kind, built_in).items()}
