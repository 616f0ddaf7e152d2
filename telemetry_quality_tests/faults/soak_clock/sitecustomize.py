"""A clock on which days take seconds, for whole processes: Python imports this first if the folder is on PYTHONPATH.

The environment says when the simulated time began, at which real second, and how many times faster it runs.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta

from telemetry_quality import assembly
from telemetry_quality.core import dispatch

BEGAN, STARTED, SPEED = "SOAK_BEGAN", "SOAK_STARTED", "SOAK_SPEED"
LEASE_SECONDS = 10.0
"""How many real seconds a claim of an alert holds, since thirty simulated ones pass in no time."""


def simulated_now() -> datetime:
    """The simulated time, the same in all processes."""
    passed = timedelta(seconds=time.time() - float(os.environ[STARTED]))
    return datetime.fromisoformat(os.environ[BEGAN]) + passed * float(os.environ[SPEED])


if STARTED in os.environ:
    assembly.utc_now = simulated_now
    dispatch.LEASE = timedelta(seconds=LEASE_SECONDS) * float(os.environ[SPEED])
