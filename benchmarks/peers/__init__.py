"""A day judged by telemetry-quality and by the alternatives of a user, each tool in its own environment."""
