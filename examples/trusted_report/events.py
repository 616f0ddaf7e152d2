"""Write a week of page views as CSV: on the third day requests fail, and on the fifth a client forgets its version."""

import csv
from datetime import date, datetime, timedelta
from pathlib import Path

FIRST_DAY = date(2026, 2, 1)
DAYS = 7
EVENTS_PER_DAY = 200
BROKEN_DAY, UNTAGGED_DAY = 2, 4


def main() -> None:
    """Write one file per day beside this one."""
    folder = Path(__file__).with_name("events")
    folder.mkdir(exist_ok=True)
    for offset in range(DAYS):
        day = FIRST_DAY + timedelta(days=offset)
        with (folder / f"{day}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "viewed_at", "page", "version", "status"])
            for number in range(EVENTS_PER_DAY):
                viewed_at = datetime.combine(day, datetime.min.time()) + number * timedelta(minutes=7)
                version = "" if offset == UNTAGGED_DAY and number % 4 == 0 else "1.0"
                status = 500 if offset == BROKEN_DAY and number % 2 == 0 else 200
                rows.writerow([f"{day}-{number}", viewed_at.isoformat(), "/pricing", version, status])


if __name__ == "__main__":
    main()
