"""Turns the expressions that users write into SQLAlchemy: what plays a role, which events count, and rates.

A text is parsed, checked against the columns and rebuilt with quoted names and bound values: nothing from a settings
file is ever pasted into SQL. Whatever is not listed here is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import sqlglot
from sqlalchemy import BigInteger, Boolean, Double, String, and_, case, cast, column, func, literal, not_, null, or_
from sqlalchemy.types import NULLTYPE, NullType
from sqlglot import expressions as exp

from telemetry_quality.errors import SourceError
from telemetry_quality.sources.functions import text_matches
from telemetry_quality.sources.paths import inside, json_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import ColumnElement

    from telemetry_quality.sources.paths import Step

FIRST_PRESENT = "FIRST_PRESENT"
"""A function of ours: the first argument whose columns all exist, so that one text fits several layouts of a table."""

_COMPARISONS: dict[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
}

# Engines disagree on what whole numbers divide into and on what dividing by zero gives.
_ARITHMETIC: dict[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.Add: lambda a, b: a + b,
    exp.Sub: lambda a, b: a - b,
    exp.Mul: lambda a, b: a * b,
    exp.Div: lambda a, b: cast(a, Double) / func.nullif(b, 0),
    exp.Mod: lambda a, b: a % func.nullif(b, 0),
    exp.DPipe: lambda a, b: cast(a, String).concat(cast(b, String)),
}

_FUNCTIONS: dict[type[exp.Expr], Callable[[Any], Any]] = {
    exp.Lower: lambda value: func.lower(value, type_=String),
    exp.Upper: lambda value: func.upper(value, type_=String),
    exp.Trim: lambda value: func.trim(value, type_=String),
}

_WHOLE_NUMBER, _NUMBER = "^ *[-+]?[0-9]{1,18} *$", "^ *[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)? *$"
"""What is a number in a text; no more than all engines can cast."""

_WORDS = {"true", "false", "null"}


def columns_named(text: str, role: str, names: Mapping[str, Any]) -> list[str]:
    """The columns that an expression needs, without repetition; those that are not among ``names`` are missing.

    Raises:
        SourceError: ``EXPRESSION_INVALID`` if the text is neither a column nor an expression.
    """
    if _is_column(text, names):
        return [text]
    return list(dict.fromkeys(name for name, _ in _paths(_chosen(_parse(text, role), names), names)))


def only_column(text: str, names: Mapping[str, Any]) -> str | None:
    """The column that is all there is to an expression; otherwise the text itself, or None if it is NULL."""
    if _is_column(text, names):
        return text
    try:
        tree = _chosen(_parsed(text), names)
    except sqlglot.errors.SqlglotError:
        return text
    if isinstance(tree, exp.Null):
        return None
    name, steps = _path(tree, names) or (text, ())
    return text if steps or name not in names else name


def is_expression(text: str, names: Mapping[str, Any]) -> bool:
    """Whether ``text`` is to be computed, rather than the name of a column, be it a missing one."""
    return not _is_column(text, names)


def build(
    text: str, role: str, columns: Mapping[str, str], types: str | None = None, *, is_condition: bool = False
) -> ColumnElement[Any]:
    """The expression for ``text``, such as ``properties.$lib_version`` or ``severity >= 17 OR status = 'lost'``.

    Args:
        text: The expression.
        role: What errors call it.
        columns: The type of each column of the source by its name, all of ``columns_named`` among them.
        types: The dialect of sqlglot in which the types are named, see ``paths.inside``.
        is_condition: Whether it says what holds, so that null means unknown.

    Raises:
        SourceError: ``EXPRESSION_INVALID`` if the text is no expression; ``COLUMN_MISSING`` or ``COLUMN_TYPE`` if there
            is no such value inside a column.
    """
    tree = _chosen(_parse(text, role), columns)
    if isinstance(tree, exp.Null):
        return cast(null(), Boolean if is_condition else String)
    built: ColumnElement[Any] = _Builder(text, role, columns, types).build(tree)
    return built


def _is_column(text: str, names: Mapping[str, Any]) -> bool:
    if text in names:
        return True
    # A name that is neither a column nor begins with one: a missing column, and not a mistake in an expression.
    is_name = re.fullmatch(r"[\w.$]+", text) is not None and not text[:1].isdigit() and text.casefold() not in _WORDS
    parts = text.split(".")
    return is_name and not any(".".join(parts[:length]) in names for length in range(1, len(parts)))


_WORD = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[\w$]+""")


class _Language(sqlglot.Dialect):
    """SQL in which ``list[0]`` is an item of the column called list."""

    class Parser(sqlglot.Parser):
        ARRAY_CONSTRUCTORS: ClassVar[dict[str, type[exp.Func]]] = {}


def _parse(text: str, role: str) -> exp.Expr:
    try:
        return _parsed(text)
    except sqlglot.errors.SqlglotError:
        raise _refused(text, role, "it cannot be parsed") from None


@lru_cache(maxsize=256)
def _parsed(text: str) -> exp.Expr:
    """The tree of a text, which nobody changes."""
    return sqlglot.parse_one(_WORD.sub(_quoted, text), dialect=_Language)


def _quoted(word: re.Match[str]) -> str:
    """A word, quoted where sqlglot would take it for something else than a name.

    A dollar begins a parameter or a text; inside a path, words such as ``list`` and ``timestamp`` begin something else.
    """
    text, before, after = word[0], word.string[: word.start()], word.string[word.end() :]
    is_name = text[0] not in "'\"" and not text[0].isdigit()
    is_in_path = before.endswith(".") or after.startswith((".", "["))
    return f'"{text}"' if is_name and ("$" in text or is_in_path) else text


def _chosen(tree: exp.Expr, names: Mapping[str, Any]) -> exp.Expr:
    """The tree with each FIRST_PRESENT replaced by its first argument whose columns exist; by its first if none is."""

    def choose(node: exp.Expr) -> exp.Expr:
        if not (isinstance(node, exp.Anonymous) and node.name.upper() == FIRST_PRESENT and node.expressions):
            return node
        arguments = [_chosen(argument, names) for argument in node.expressions]
        present = (one for one in arguments if all(name in names for name, _ in _paths(one, names)))
        return exp.Paren(this=next(present, arguments[0]))

    chosen = tree.transform(choose)
    while isinstance(chosen, exp.Paren):
        chosen = chosen.this
    return chosen


def _paths(node: exp.Expr, names: Mapping[str, Any]) -> Iterator[tuple[str, list[Step]]]:
    """Every column in an expression, with the steps into it."""
    if (path := _path(node, names)) is not None:
        yield path
        return
    for child in node.iter_expressions():
        yield from _paths(child, names)


def _path(node: exp.Expr, names: Mapping[str, Any]) -> tuple[str, list[Step]] | None:
    """The column and the steps into it; None if the node is something else.

    A column's name may hold dots, as those of flattened tables do: the longest that exists is meant.
    """
    found = _parts(node)
    if found is None:
        return None
    parts, steps = found
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in names:
            return name, [*parts[length:], *steps]
    return ".".join(parts), steps


def _parts(node: exp.Expr) -> tuple[list[str], list[Step]] | None:
    """The names joined by dots, and what follows the first bracket."""
    match node:
        case exp.Column() if not isinstance(node.this, exp.Star):
            return [part.name for part in node.parts], []
        case exp.Dot() if isinstance(node.expression, exp.Identifier) and (found := _parts(node.this)):
            parts, steps = found
            return (parts, [*steps, node.expression.name]) if steps else ([*parts, node.expression.name], [])
        case exp.Bracket() if len(node.expressions) == 1 and (found := _parts(node.this)):
            (key,) = node.expressions
            if isinstance(key, exp.Literal) and (key.is_string or key.name.isdigit()):
                return found[0], [*found[1], key.name if key.is_string else int(key.name)]
    return None


_KNOWN_ARGUMENTS = {"this", "expression", "expressions", "low", "high", "is_string", "quoted"}
"""The arguments of a node that are read; sqlglot puts NOT LIKE or BETWEEN SYMMETRIC into further arguments."""

_FURTHER_ARGUMENTS: dict[type[exp.Expr], set[str]] = {
    exp.Like: {"negate"},
    exp.Case: {"ifs", "default"},
    exp.Coalesce: {"is_nvl", "is_null"},
    exp.Cast: {"to"},
    exp.TryCast: {"to", "safe"},
    exp.Div: {"typed", "safe"},
    exp.DPipe: {"safe"},
}


class _Builder:
    """Rebuilds one parsed text."""

    def __init__(self, text: str, role: str, columns: Mapping[str, str], types: str | None) -> None:
        self._text = text
        self._role = role
        self._columns = columns
        self._types = types

    def build(self, node: exp.Expr) -> Any:
        """The expression of a node and of all below it."""
        if (path := _path(node, self._columns)) is not None:
            return self._column(*path)
        self._require_known_arguments(node)
        for build in (self._logic, self._value, self._leaf):
            if (built := build(node)) is not None:
                return built
        raise self._refused(f"{node.key.upper()} is not allowed in it")

    def _column(self, name: str, steps: list[Step]) -> Any:
        if not steps:
            return column(name)
        held = self._columns.get(name)
        if held is None:
            raise self._refused(f"{name!r} is not a column")
        try:
            return inside(column(name), held, steps, self._types)
        except SourceError as error:
            if error.reason_code == "COLUMN_MISSING" and FIRST_PRESENT in self._text.upper():
                # A struct has only the fields that its writer met, as a map has keys.
                return cast(null(), String)
            raise SourceError(error.reason_code, f"{self._role} is {self._text!r}, in which {error}") from None

    def _require_known_arguments(self, node: exp.Expr) -> None:
        known = _KNOWN_ARGUMENTS | _FURTHER_ARGUMENTS.get(type(node), set())
        further = {name for name, value in node.args.items() if value} - known
        if further:
            found = " and ".join(sorted(further)).upper()
            raise self._refused(f"{node.key.upper()} with {found} is not allowed in it")

    def _logic(self, node: exp.Expr) -> Any:  # noqa: PLR0911 - one case a line
        """A condition; None if the node is something else."""
        match node:
            case exp.And():
                return and_(self.build(node.this), self.build(node.expression))
            case exp.Or():
                return or_(self.build(node.this), self.build(node.expression))
            case exp.Not():
                return not_(self.build(node.this))
            case exp.Like():
                matches = self.build(node.this).like(self.build(node.expression))
                return not_(matches) if node.args.get("negate") else matches
            case exp.Is() if isinstance(node.expression, exp.Null):
                return self.build(node.this).is_(null())
            case exp.In() if node.expressions:
                first, *others = self._alike(node.this, *node.expressions)
                return first.in_(others)
            case exp.Between():
                first, low, high = self._alike(node.this, node.args["low"], node.args["high"])
                return first.between(low, high)
        compare = _COMPARISONS.get(type(node))
        return None if compare is None else compare(*self._alike(node.this, node.expression))

    def _alike(self, *nodes: exp.Expr) -> list[Any]:
        """Values that are compared: a value of JSON is text, in which '9' is more than '17'."""
        built = [self.build(node) for node in nodes]
        types = (value.type for value in built if not isinstance(value.type, String | NullType))
        wanted = next(types, None)
        if wanted is None:
            return built
        return [_checked(value, wanted) if isinstance(value, json_value) else value for value in built]

    def _value(self, node: exp.Expr) -> Any:  # noqa: PLR0911 - one case a line
        """A value computed from others; None if the node is something else."""
        match node:
            case exp.Paren():
                return self.build(node.this)
            case exp.Case():
                return self._case(node)
            case exp.Nullif():
                return func.nullif(*self._alike(node.this, node.expression))
            case exp.Coalesce() if node.expressions:
                return func.coalesce(*map(self._or_null, (node.this, *node.expressions)))
            case exp.Cast():
                return self._cast(node)
            case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
                return literal(-_number(node.this))
            case exp.Neg():
                return -self.build(node.this)
        if (arithmetic := _ARITHMETIC.get(type(node))) is not None:
            return arithmetic(self._number(node, node.this), self._number(node, node.expression))
        if (function := _FUNCTIONS.get(type(node))) is not None:
            return function(self.build(node.this))
        return None

    def _number(self, node: exp.Expr, operand: exp.Expr) -> Any:
        built = self.build(operand)
        is_text = isinstance(built, json_value) and not isinstance(node, exp.DPipe)
        return _checked(built, Double()) if is_text else built

    def _case(self, node: exp.Case) -> Any:
        conditions = [
            branch.this if node.this is None else exp.EQ(this=node.this.copy(), expression=branch.this.copy())
            for branch in node.args["ifs"]
        ]
        results = [self._or_null(branch.args["true"]) for branch in node.args["ifs"]]
        default = node.args.get("default")
        return case(
            *((self.build(condition), result) for condition, result in zip(conditions, results, strict=True)),
            else_=None if default is None else self._or_null(default),
        )

    def _or_null(self, node: exp.Expr) -> Any:
        """A result, which may be null by choice."""
        return null() if isinstance(node, exp.Null) else self.build(node)

    def _cast(self, node: exp.Cast) -> Any:
        value, wanted = self.build(node.this), node.to.this
        if wanted in exp.DataType.TEXT_TYPES:
            return cast(value, String)
        if wanted in exp.DataType.INTEGER_TYPES:
            return _checked(value, BigInteger())
        if wanted in {exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT, exp.DataType.Type.DECIMAL}:
            return _checked(value, Double())
        if wanted is exp.DataType.Type.BOOLEAN:
            return _checked(value, Boolean())
        raise self._refused("a value can only be cast to TEXT, BIGINT, DOUBLE or BOOLEAN")

    def _leaf(self, node: exp.Expr) -> Any:
        match node:
            case exp.Literal():
                # Text is bound without a type: comparing it with, say, an enum value is up to the engine.
                return literal(node.name, NULLTYPE) if node.is_string else literal(_number(node))
            case exp.Boolean():
                return literal(bool(node.this))
        return None

    def _refused(self, why: str) -> SourceError:
        return _refused(self._text, self._role, why)


def _checked(value: ColumnElement[Any], wanted: Any) -> Any:
    """A value cast by way of its text; null where the text is none of that type, on every engine."""
    text = cast(value, String)
    if isinstance(wanted, Boolean):
        word = func.lower(func.trim(text))
        true, false = (word.in_(list(map(literal, words))) for words in (("true", "t", "1"), ("false", "f", "0")))
        return case((true, literal(True)), (false, literal(False)))
    pattern = _WHOLE_NUMBER if isinstance(wanted, BigInteger) else _NUMBER
    is_whole = isinstance(wanted, BigInteger)
    return case((text_matches(text, pattern), cast(text, BigInteger if is_whole else Double)))


def _number(node: exp.Literal) -> int | float:
    return int(node.name) if node.name.isdigit() else float(node.name)


def _refused(text: str, role: str, why: str) -> SourceError:
    return SourceError(
        "EXPRESSION_INVALID",
        f"{role} requires a column or an expression of columns, values, comparisons, IN, BETWEEN, LIKE, IS NULL, "
        "AND, OR, NOT, CASE, COALESCE, NULLIF, LOWER, UPPER, TRIM, CAST and arithmetic, "
        f"but {text!r} was found and {why}.",
    )
