"""A day judged by telemetry-quality beside what a user would pick instead, each tool in an environment of its own."""
