"""How a tool is run: for each line on its standard input, it checks the day again and replies with a line.

The modules that import this file run in the tools' own environments, so it may import only the standard library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ERROR_PERCENT, MISSING_VERSION_PERCENT = 5, 1
"""Above these a day fails; an event of severity 17 or more is an error."""

COLUMNS = ["event_name", "app_version", "severity"]
"""What the checks look at."""

T = TypeVar("T")


def answer(load: Callable[[Path], T], check: Callable[[T], Mapping[str, object]]) -> None:
    """Check the file named by the first argument once per line of input.

    Args:
        load: Opens or reads the file, whichever the tool does before its checks; called each time.
        check: Returns the verdicts ``rows``, ``error_rate``, ``missing_version`` and ``missing_name`` (true: in order),
            and ``sample``, how many of 100 sampled events have what they must have, if the tool draws a sample.
    """
    file = Path(sys.argv[1])
    for _ in sys.stdin:
        start = perf_counter()
        day = load(file)
        loaded = perf_counter()
        verdicts = check(day)
        seconds = {"load": loaded - start, "check": perf_counter() - loaded}
        del day
        print(json.dumps({"verdicts": dict(verdicts), "seconds": seconds}), flush=True)
