"""The command ``telemetry-quality training-days``: features and labels of judged days, for machine learning.

Exit codes: 0 done; 2 failed.
"""

from __future__ import annotations

from typing import Any

import click

from telemetry_quality.commands.known_days import Asked, known_days_options, print_known
from telemetry_quality.commands.options import EXIT_HEALTHY
from telemetry_quality.core.training import TRAINING_COLUMNS
from telemetry_quality.frames.training import read_training_days
from telemetry_quality.settings import load_settings


@click.command()
@known_days_options
def training_days(**asked: Any) -> int:
    """Write a row of features and labels per judged day, as known now or --as-of an instant."""
    wanted = Asked(**asked)
    settings = load_settings(wanted.config)
    found = read_training_days(settings, wanted.source, wanted.first, wanted.last, wanted.as_of)
    if wanted.is_table:
        print_known(found)
    else:
        wanted.write(TRAINING_COLUMNS, found)
    return EXIT_HEALTHY
