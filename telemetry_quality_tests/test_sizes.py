"""The package consists of short functions in modules of moderate length."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from statistics import median, quantiles

PACKAGE = Path(__file__).parents[1] / "telemetry_quality"

LONGEST_MODULE = 500
LONGEST_FUNCTION = 60
MEDIAN_FUNCTION = 6
FUNCTION_99TH_PERCENTILE = 35


@cache
def modules() -> dict[str, str]:
    """The text of every module, by its path."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def functions() -> dict[str, int]:
    """The lines of every function, with nested functions and docstrings but without decorators, by location."""
    return {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, text in modules().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_no_module_is_too_long() -> None:
    lines = {path: len(text.splitlines()) for path, text in modules().items()}
    assert len(lines) > 100
    assert {path: count for path, count in lines.items() if count > LONGEST_MODULE} == {}


def test_no_function_is_too_long() -> None:
    assert len(functions()) > 1000
    assert {place: count for place, count in functions().items() if count > LONGEST_FUNCTION} == {}


def test_most_functions_are_a_few_lines() -> None:
    assert median(functions().values()) <= MEDIAN_FUNCTION


def test_hardly_any_function_fills_a_screen() -> None:
    assert quantiles(functions().values(), n=100, method="inclusive")[98] <= FUNCTION_99TH_PERCENTILE
