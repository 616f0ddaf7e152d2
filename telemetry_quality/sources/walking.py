"""Walks folders for the files that match a path; what cannot be listed is reported, never left out.

Links are followed. A file that several links lead to is listed once, and a link back to a folder above it leads nowhere
new. Names that begin with ``_`` or ``.`` are a writer's own, such as Spark's ``_temporary/``, and are left out.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from fnmatch import translate
from typing import TYPE_CHECKING, NoReturn

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Stamp = tuple[int, int, int, int, int]
    States = frozenset[int]

_ATTEMPTS = 5
"""How often a folder is listed that changes while it is listed."""

_FORMATS = {"_delta_log": "Delta", ".hoodie": "Hudi", "metadata": "Iceberg"}
"""The format of a table by the folder in which it keeps which of its files are live."""

_NOTHING = re.compile("(?!)")

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, folder or link cannot be read.

    Attributes:
        found: What was found, to follow the path in a sentence.
        remedy: What to do about it.
    """

    reason_code: str
    found: str
    remedy: str = "restore it or move it away"


@dataclass(frozen=True, slots=True)
class Places:
    """Folders with all that is in them, and single files, without links on the way."""

    folders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def __or__(self, other: Places) -> Places:
        return Places(self.folders | other.folders, self.files | other.files)

    def __ge__(self, other: Places) -> bool:
        return self.folders >= other.folders and self.files >= other.files


@dataclass(frozen=True, slots=True)
class Listing:
    """What a path names.

    Attributes:
        files: A stamp of each file, by path; it changes whenever the file does.
        unlisted: What could hold further files, by path.
        places: Where the files are.
    """

    files: dict[str, Stamp]
    unlisted: dict[str, Problem]
    places: Places

    def is_younger_than(self, nanoseconds: int) -> bool:
        """Whether a file changed after an instant."""
        return any(changed > nanoseconds for *_, changed in self.files.values())


PARQUET_NAMES = ("*.parquet",)
NOWHERE = Places()
EMPTY = Listing({}, {}, NOWHERE)


def walk(path: str, names: Sequence[str] = PARQUET_NAMES) -> Listing:
    """The files that match ``path``: a file, a pattern, or a folder with files called one of ``names``.

    A folder that a pattern matches is read like a folder that is named in full.

    Raises:
        SourceError: If the folder belongs to a table format that decides which of its files are live.
    """
    refuse_tables_above(path)
    for attempt in range(_ATTEMPTS):
        found = _Walk(path, names, is_last=attempt == _ATTEMPTS - 1)
        found.run()
        if not found.is_torn:
            break
    return found.listing()


def stamp(path: str) -> Stamp | None:
    """What changes whenever the file does; None if there is no file."""
    try:
        # os.stat, because a Path costs more than the call: there may be a file for each day of years.
        return _stamp(os.stat(path))  # noqa: PTH116
    except OSError:
        return None


def _stamp(status: os.stat_result) -> Stamp:
    # The time of the last change of the inode cannot be set back, unlike that of the content.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def require_file(path: str, what: str) -> Stamp:
    """The stamp of a file that this user may read.

    Args:
        path: Where it has to be.
        what: What is required, such as "A DuckDB file".

    Raises:
        SourceError: ``FILE_MISSING`` or ``FILE_UNREADABLE``.
    """
    try:
        # Without waiting, in case it is a named pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        status = None
    except OSError as error:
        problem = unreadable(error, "FILE_UNREADABLE")
        raise SourceError(
            problem.reason_code, f"{what} is required, but {path} {problem.found}; {problem.remedy}."
        ) from None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise SourceError("FILE_MISSING", f"{what} is required, but {path} is not a file; check the path.")
    return _stamp(status)


def place_of(path: str) -> Places:
    """Where the files of a path can be."""
    if "://" in path:
        # An object store's own files are the only ones that DuckDB is given.
        bucket = path.split("/", 3)
        return Places(frozenset({"/".join(bucket[:3]) + "/"}))
    root, parts = _split(path)
    real = os.path.realpath(root or ".")
    is_folder = bool(parts) or os.path.isdir(real)  # noqa: PTH112
    return Places(frozenset({real})) if is_folder else Places(files=frozenset({real}))


def _split(path: str) -> tuple[str, list[str]]:
    """The folder or file before the first wildcard, and the parts from there on."""
    if os.path.lexists(path) or not re.search(r"[*?\[]", path):
        return (path.rstrip("/") or "/"), []
    parts = path.split("/")
    fixed = next(number for number, part in enumerate(parts) if re.search(r"[*?\[]", part))
    root = "/".join(parts[:fixed])
    return root or "/" * path.startswith("/"), [part for part in parts[fixed:] if part]


def refuse_tables_above(path: str) -> None:
    """Refuse a path within a table whose format decides which files are live."""
    folder = os.path.realpath(_split(path)[0] or ".")
    while folder != (folder := os.path.dirname(folder)):  # noqa: PTH120
        for name in _FORMATS:
            _refuse_table(folder, name)


def refuse_table(file: str) -> None:
    """Refuse a table of which ``file`` shows that it is one."""
    above, _, name = file.rpartition("/")
    folder, _, log = above.rpartition("/")
    if log in _FORMATS and (log != "metadata" or name.endswith(".metadata.json")):
        _refuse(folder, log)


def _refuse_table(folder: str, name: str) -> None:
    """Refuse a folder that is a table because of the folder called ``name`` in it."""
    log = _join(folder, name)
    if not os.path.isdir(log):  # noqa: PTH112
        return
    if name != "metadata" or any(each.endswith(".metadata.json") for each in _names(log)):
        _refuse(folder, name)


def _refuse(folder: str, name: str) -> NoReturn:
    kind = _FORMATS[name]
    remedy = "read it with connector 'spark'" if kind == "Hudi" else f"use connector '{kind.lower()}'"
    raise SourceError(
        f"{kind.upper()}_TABLE",
        f"Plain files are required, but {folder or '.'} is a table of {kind}: {name}/ says which of its files are "
        f"live, and reading all of them would count events twice; {remedy}.",
    )


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _join(folder: str, name: str) -> str:
    return f"{folder}{name}" if folder in {"", "/"} else f"{folder}/{name}"


@dataclass
class _Walk:
    """One pass over the folders.

    A folder is listed in states: the numbers of the parts of the path that its entries may match. Two parts follow
    after the path's own, with which a folder is read that matches it: ``**`` and the names.
    """

    path: str
    names: Sequence[str]
    is_last: bool
    is_torn: bool = False
    files: dict[str, Stamp] = field(default_factory=dict)
    unlisted: dict[str, Problem] = field(default_factory=dict)
    _pending: list[tuple[str, States]] = field(default_factory=list)
    _links: list[tuple[str, States]] = field(default_factory=list)
    _walked: list[tuple[str, States]] = field(default_factory=list)
    _seen: set[tuple[int, int, States]] | None = None
    _inodes: set[tuple[int, int]] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)
    _single_files: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._root, parts = _split(self.path)
        if parts and parts[-1] == "**":
            parts.append("*")
        self._end = len(parts)
        # None stands for "**", any number of folders; nothing follows the end.
        whole = [None if part == "**" else re.compile(translate(part)) for part in parts]
        self._parts = [*whole, _NOTHING, None, re.compile("|".join(map(translate, self.names)))]
        self._matched = {self._end, self._end + 3}

    def listing(self) -> Listing:
        """What was found."""
        places = Places(frozenset(self._folders), frozenset(self._single_files))
        return Listing(dict(sorted(self.files.items())), self.unlisted, places)

    def run(self) -> None:
        """List all folders; links last, so that a file has the name that it has without them."""
        self._begin()
        while self._pending or self._links:
            if self._pending:
                self._list(*self._pending.pop())
            else:
                self._follow(*self._links.pop())

    def _begin(self) -> None:
        root = self._root or "."
        try:
            status = os.stat(root)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            if os.path.islink(root):  # noqa: PTH114
                self.unlisted[root] = _broken_link(root)
        except OSError as error:
            self.unlisted[root] = unreadable(error, "FOLDER_UNREADABLE")
        else:
            if stat.S_ISDIR(status.st_mode):
                self._enter(self._root, frozenset({0}), os.path.realpath(root))
            elif not self._end:
                self._single_files.add(os.path.realpath(root))
                self._add(root, status)

    def _enter(self, folder: str, states: States, real: str | None = None) -> None:
        """Have ``folder`` listed; ``real`` is where it is if that is not below a folder that was entered before."""
        if real is not None:
            self._folders.add(real)
        more = {state + 1 if state == self._end else state for state in states}
        for number, part in enumerate(self._parts):
            if part is None and number in more:
                more.add(number + 1)
        self._pending.append((folder, frozenset(more)))

    def _list(self, folder: str, states: States) -> None:
        if self._seen is None:
            self._walked.append((folder, states))
        elif not self._is_new(folder, states):
            return
        try:
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    self._visit(entry, _join(folder, entry.name), states)
        except (FileNotFoundError, NotADirectoryError):
            self._changed(folder)
        except OSError as error:
            self.unlisted[folder] = unreadable(error, "FOLDER_UNREADABLE")

    def _is_new(self, folder: str, states: States) -> bool:
        """Whether a folder was not listed before in these states, by whatever name."""
        status = stamp(folder or ".")
        key = None if status is None else (*status[:2], states)
        if self._seen is None or key is None:
            return True
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _visit(self, entry: os.DirEntry[str], path: str, states: States) -> None:
        name = entry.name
        if name in _FORMATS:
            _refuse_table(os.path.dirname(path), name)  # noqa: PTH120
        if name[0] in "_.":
            return
        after = self._after(states, name)
        try:
            if entry.is_symlink():
                if after:
                    self._links.append((path, after))
            elif entry.is_dir(follow_symlinks=False):
                self._visit_folder(path, states, after)
            elif after & self._matched:
                self._add(path, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            self._changed(path)
        except OSError as error:
            self.unlisted[path] = unreadable(error, "FILE_UNREADABLE")

    def _visit_folder(self, path: str, states: States, after: States) -> None:
        if within := after - {self._end + 3}:
            self._enter(path, within)
        elif "=" in path.rpartition("/")[2] and self._end - 1 in states:
            self.unlisted[path] = Problem(
                "HIVE_DEPTH",
                "is a hive folder below those that path names",
                "end path with /**/*.parquet, or move it away",
            )

    def _after(self, states: States, name: str) -> States:
        """The states after ``name``: the parts that may follow, or the end."""
        after = set()
        for state in states:
            part = self._parts[state]
            if part is None:
                after.add(state)
            elif part.match(name):
                after.add(state + 1)
        return frozenset(after)

    def _add(self, path: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
            self.unlisted[path] = Problem("NOT_A_FILE", f"is {kind}", "move it away")
            return
        found = _stamp(status)
        if self._seen is not None:
            if found[:2] in self._inodes:
                return
            self._inodes.add(found[:2])
        self.files[path] = found

    def _follow(self, path: str, after: States) -> None:
        """What a link leads to."""
        self._remember_what_was_walked()
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            dangles = error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}
            self.unlisted[path] = _broken_link(path) if dangles else unreadable(error, "LINK_UNREADABLE")
            return
        real = os.path.realpath(path)
        if not stat.S_ISDIR(status.st_mode):
            if after & self._matched:
                self._single_files.add(real)
                self._add(path, status)
        elif (within := after - {self._end + 3}) and not _is_within(os.path.realpath(self._root or "."), real):
            self._enter(path, within, real)

    def _remember_what_was_walked(self) -> None:
        if self._seen is None:
            self._seen = set()
            self._inodes = {found[:2] for found in self.files.values()}
            for folder, states in self._walked:
                self._is_new(folder, states)

    def _changed(self, path: str) -> None:
        """Something vanished after it was listed: what replaced it may not be listed."""
        self.is_torn = True
        if self.is_last:
            self.unlisted[path] = Problem(
                "SOURCE_CHANGED", "vanished while its folder was listed", "read the day again when nobody writes to it"
            )


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _broken_link(path: str) -> Problem:
    return Problem(
        "LINK_BROKEN",
        f"is a link to {os.readlink(path)}, which leads nowhere",  # noqa: PTH115
        "mount or restore what it leads to, or remove the link",
    )


def unreadable(error: OSError, reason_code: str) -> Problem:
    """What the operating system says of a file, folder or link."""
    verb = "listed" if reason_code == "FOLDER_UNREADABLE" else "read"
    found = f"cannot be {verb} ({error.strerror or type(error).__name__})"
    return Problem(reason_code, found, f"let this user have it {verb}, or move it away")
