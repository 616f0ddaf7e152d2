"""Turns the predicates that users write, for ``is_error`` and for rates, into SQLAlchemy expressions.

The text is parsed, checked against the columns and rebuilt with quoted names and bound values: nothing from a
settings file is ever pasted into SQL. Whatever is not listed here is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlalchemy import and_, column, literal, not_, null, or_
from sqlalchemy.types import NULLTYPE
from sqlglot import expressions as exp

from telemetry_quality.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

_COMPARISONS: dict[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
}


def is_column(text: str) -> bool:
    """Whether ``text`` is a column name rather than a predicate over columns."""
    return re.fullmatch(r"[\w.$]+", text) is not None


def columns_named(text: str, role: str = "is_error") -> list[str]:
    """The columns that a column name or predicate refers to, without repetition; errors call the text ``role``.

    Raises:
        SourceError: ``PREDICATE_INVALID`` if the text is neither.
    """
    if is_column(text):
        return [text]
    return list(dict.fromkeys(node.name for node in _parse(text, role).find_all(exp.Column)))


def parse_predicate(text: str, role: str = "is_error") -> ColumnElement[bool]:
    """The expression for ``text``, such as ``severity_number >= 17 OR status IN ('failed', 'lost')``.

    Args:
        text: The predicate.
        role: What errors call the predicate.

    Raises:
        SourceError: ``PREDICATE_INVALID`` if the text is not a predicate.
    """
    predicate: ColumnElement[bool] = _build(_parse(text, role), text, role)
    return predicate


def _parse(text: str, role: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text)
    except sqlglot.errors.SqlglotError:
        raise _refused(text, role, "it cannot be parsed") from None


_KNOWN_ARGUMENTS = {"this", "expression", "expressions", "low", "high", "is_string", "quoted"}
"""The arguments of a node that are read; sqlglot puts NOT LIKE or BETWEEN SYMMETRIC into further arguments."""


def _require_known_arguments(node: exp.Expr, text: str, role: str) -> None:
    known = _KNOWN_ARGUMENTS | {"negate"} if isinstance(node, exp.Like) else _KNOWN_ARGUMENTS
    further = {name for name, value in node.args.items() if value} - known
    if further:
        raise _refused(
            text, role, f"{node.key.upper()} with {' and '.join(sorted(further)).upper()} is not allowed in it"
        )


def _build(node: exp.Expr, text: str, role: str) -> Any:  # noqa: C901, PLR0911 - one case a line
    def build(child: Any) -> Any:
        return _build(child, text, role)

    _require_known_arguments(node, text, role)
    match node:
        case exp.Like():
            matches = build(node.this).like(build(node.expression))
            return not_(matches) if node.args.get("negate") else matches
        case exp.Paren():
            return build(node.this)
        case exp.And():
            return and_(build(node.this), build(node.expression))
        case exp.Or():
            return or_(build(node.this), build(node.expression))
        case exp.Not():
            return not_(build(node.this))
        case exp.Is() if isinstance(node.expression, exp.Null):
            return build(node.this).is_(null())
        case exp.In() if node.expressions:
            return build(node.this).in_([build(item) for item in node.expressions])
        case exp.Between():
            return build(node.this).between(build(node.args["low"]), build(node.args["high"]))
    for kind, compare in _COMPARISONS.items():
        if isinstance(node, kind):
            return compare(build(node.this), build(node.expression))
    return _leaf(node, text, role)


def _leaf(node: exp.Expr, text: str, role: str) -> Any:
    """A column or a value."""
    match node:
        case exp.Column() if not node.table:
            return column(node.name)
        case exp.Neg() if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return literal(-_number(node.this))
        case exp.Literal():
            # Text is bound without a type: comparing it with, say, an enum value is up to the engine.
            return literal(node.name, NULLTYPE) if node.is_string else literal(_number(node))
        case exp.Boolean():
            return literal(bool(node.this))
    raise _refused(text, role, f"{node.key.upper()} is not allowed in it")


def _number(node: exp.Expr) -> int | float:
    return int(node.name) if node.name.isdigit() else float(node.name)


def _refused(text: str, role: str, why: str) -> SourceError:
    return SourceError(
        "PREDICATE_INVALID",
        f"{role} requires a column or a predicate of columns, values, comparisons, IN, BETWEEN, LIKE, IS NULL, "
        f"AND, OR and NOT, but {text!r} was found and {why}.",
    )
