"""What Spark's plan of a query says about how much it reads."""

from __future__ import annotations

import re

CHEAP_BYTES = 2**30
"""What a look may read on a cluster, whose plans count whole files: it takes a few seconds."""

_RELATION = re.compile(r"Relation.*Statistics\(sizeInBytes=([\d.]+(?:E\+\d+)?) (\w+)")
_UNITS: dict[str, int] = {
    unit: 1 << 10 * power for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))
}


def relation_bytes(plan: str) -> float:
    """The size of all that is read, after partitions that cannot hold the time are left out.

    Args:
        plan: What ``EXPLAIN COST`` answers.
    """
    found: list[tuple[str, str]] = _RELATION.findall(plan)
    return sum(float(size) * _UNITS[unit] for size, unit in found)
