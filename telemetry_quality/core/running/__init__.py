"""The running day: the hours of today that are over, provisional and kept apart from the days that are."""
