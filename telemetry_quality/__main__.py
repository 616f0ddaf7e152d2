"""``python -m telemetry_quality``, for machines whose scripts are not on the path."""

from telemetry_quality.cli import main

main()
