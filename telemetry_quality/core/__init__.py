"""The domain in plain Python: no framework, database, environment or clock is seen from here."""
