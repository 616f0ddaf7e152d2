"""The domain in plain Python, without any framework, database, environment or clock."""
