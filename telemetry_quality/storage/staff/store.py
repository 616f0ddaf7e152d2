"""StaffStore: everything stored about staff, the key of their cookies, and a watch for changes to any of it."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from telemetry_quality.storage.engine import database_at
from telemetry_quality.storage.staff.accounts import StaffAccounts
from telemetry_quality.storage.staff.changes import ChangeLog
from telemetry_quality.storage.staff.sessions import StaffSessions
from telemetry_quality.storage.staff.sign_ins import SignInLog
from telemetry_quality.storage.staff.tokens import StaffTokens
from telemetry_quality.storage.tables import staff_secret

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

_quiet_log = logging.getLogger(f"{__name__}.statements")
_quiet_log.setLevel(logging.WARNING)

SECRET_BYTES = 32


class StaffStore(StaffAccounts, StaffSessions, StaffTokens, SignInLog, ChangeLog):
    """Accounts, sessions, tokens, sign-ins and changes in the quality store; safe from many threads and processes.

    Args:
        url: Where the store is; see ``engine.database_at``.

    Attributes:
        is_local: Whether ``version`` responds in microseconds, so that an event loop may ask.

    Raises:
        StoreError: If the URL is wrong; from every method, if the store cannot be used.
    """

    def __init__(self, url: str) -> None:
        database = database_at(url)
        super().__init__(database.open_engine())
        # Logs of database errors with tracebacks, or of everything, contain no hash and no key.
        self._engine.hide_parameters = True
        self._engine.logger = _quiet_log
        self.is_local = database.is_local
        self._commits = database.commit_watch()

    def secret(self, now: datetime) -> bytes:
        """The key that signs cookies, created on first use; the same for all workers."""
        with self._read_only() as connection:
            kept = connection.scalar(select(staff_secret.c.secret))
        if kept is None:
            with self._writing() as connection:
                # Another worker may have been faster.
                kept = connection.scalar(select(staff_secret.c.secret))
                if kept is None:
                    kept = secrets.token_bytes(SECRET_BYTES)
                    connection.execute(insert(staff_secret), [{"id": 1, "secret": kept, "created_at": now}])
        return bytes(kept)

    def version(self) -> Hashable:
        """A value that changes whenever anything was committed; until then, what was read may be cached."""
        self._require_schema()
        return self._commits.version()

    def close(self) -> None:
        """Close the database; the store can be used again afterwards."""
        self._commits.close()
        super().close()
