"""What is sent to other people's monitoring and lineage systems; each needs the packages of its own extra."""

from importlib.metadata import version

VERSION = version("telemetry-quality")
"""Read from the installed package, because the package itself imports the rooms above this one."""
