"""Run a command and record what it took: ``launch.py REPORT COMMAND...``.

Until it executes another program, a forked child's RSS includes its parent's. So commands are started from here, a
process that imports next to nothing (some 10 MiB), and never from a process that has read a day.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from time import perf_counter


def main() -> int:
    start = perf_counter()
    process = subprocess.Popen(sys.argv[2:])  # noqa: S603 - the benchmark's own command
    _, status, usage = os.wait4(process.pid, 0)
    report = {
        "seconds": perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would be an import more
        json.dump(report, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
