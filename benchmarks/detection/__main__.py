"""Run the benchmark: ``python benchmarks/detection [--data FOLDER] [--out FOLDER] [--methods NAME ...]``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# One thread per process: the arrays are small, and the machine is shared.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from detection.report import main

if __name__ == "__main__":
    main(sys.argv[1:])
