"""Run the benchmark: ``python benchmarks/peers [--events N ...] [--rounds N] [--tools NAME ...]``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from peers.report import main

if __name__ == "__main__":
    main(sys.argv[1:])
