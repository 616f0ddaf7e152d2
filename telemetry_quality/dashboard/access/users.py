"""Access: identifies the user of a request by a password, a session or a token."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import secrets
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from telemetry_quality.dashboard.access.cookies import form_cookie, known_cookie, oidc_cookie, session_cookie
from telemetry_quality.dashboard.access.identity import User
from telemetry_quality.dashboard.access.passwords import hash_password, matches, needs_rehash
from telemetry_quality.dashboard.access.signers import PurposeSigner, csrf_token
from telemetry_quality.dashboard.api_errors import ApiError
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.staff.lookup import Role, account_key
from telemetry_quality.storage.staff.sign_ins import KNOWN_BROWSER, SignIn, SignInOutcome
from telemetry_quality.storage.staff.tokens import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from starlette.datastructures import Headers

    from telemetry_quality.settings import DashboardSettings
    from telemetry_quality.storage.staff.lookup import Account
    from telemetry_quality.storage.staff.sessions import Session
    from telemetry_quality.storage.staff.store import StaffStore
    from telemetry_quality.storage.staff.tokens import Token

log = logging.getLogger(__name__)

WINDOW = timedelta(minutes=15)
ACCOUNT_FAILURES = 5
"""After this many wrong passwords for an account from one address within WINDOW, no more are tried from there.

Browsers in which the account has signed in before have the same number of their own, whatever strangers try elsewhere.
"""

ADDRESS_FAILURES = 20
"""The same limit for an address and all accounts; many people may share an address."""

STRANGERS_FAILURES = 100
"""The same limit for an account and all addresses, which bounds guessing by many machines."""

MOST_WAITING = 16
"""Passwords are checked one at a time, since each costs 64 MiB; if more are waiting, people must try again later."""

USE_PAUSE = timedelta(minutes=1)
"""Uses of a session, and what strangers can repeat at will, are recorded at most once in this time: few writes."""

MOST_RECORDED = 1_000
"""Of so many different ones within USE_PAUSE, further ones are not recorded: strangers choose how many there are."""

TOKEN = re.compile(r"tq_[A-Za-z0-9_-]{43}", re.ASCII)


class Access:
    """Decides who may use the dashboard; thread-safe.

    Args:
        staff: The accounts.
        settings: How long a session is valid, used and unused, and whether it is sent over HTTPS only.
        clock: Returns the current time.
    """

    def __init__(self, staff: StaffStore, settings: DashboardSettings, clock: Callable[[], datetime]) -> None:
        self.staff = staff
        self.settings = settings
        self.clock = clock
        self.session_cookie = session_cookie(settings)
        self.form_cookie = form_cookie(settings)
        self.oidc_cookie = oidc_cookie(settings)
        self.known_cookie = known_cookie(settings)
        self._known: dict[str, Session] = {}
        self._version: Hashable = None
        self._cache_lock = threading.Lock()
        self._trying = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._recorded_at: dict[tuple[str, str], datetime] = {}
        self._recording = threading.Lock()
        self._failed_at = datetime.min.replace(tzinfo=UTC)

    @cached_property
    def secret(self) -> bytes:
        """The key of all signatures and form tokens."""
        return self.staff.secret(self.clock())

    def signer(self, purpose: str) -> PurposeSigner:
        """A signer for ``purpose`` with this store's key."""
        return PurposeSigner(self.secret, purpose)

    def close(self) -> None:
        """Close the store of accounts."""
        self.staff.close()

    # Identifying users

    def user_of(self, headers: Headers) -> User | None:
        """The user who sent these headers; None for a stranger.

        Raises:
            StoreError: If the accounts cannot be read.
        """
        session = self.session_of(headers)
        if session is not None:
            self._use_session(session)
            return self._user(session)
        shown = _shown_token(headers)
        token = None if shown is None else self.staff.valid_token(fingerprint(shown), self.clock())
        if token is None:
            return None
        self._use_token(token)
        return User(token.account_name, "", None, is_token=True, role=Role.VIEWER, scopes=token.scopes)

    def shown_session(self, headers: Headers) -> str | None:
        """The hash of the session's id, if these headers have a cookie that this dashboard signed."""
        return self._id_hash(headers, self.clock())

    def recalled(self, id_hash: str, version: Hashable) -> User | None:
        """The user of a session, if known from a request since the last commit; never waits for a query.

        Nobody is recalled whose use of the session is due to be recorded.

        Args:
            id_hash: The hash of the session's id.
            version: The current version of the accounts.
        """
        now = self.clock()
        session = self._recall(id_hash, version)
        if session is None or not self._is_open(session, now) or now - session.last_used_at >= USE_PAUSE:
            return None
        return self._user(session)

    def session_of(self, headers: Headers) -> Session | None:
        """The session of the cookie in these headers."""
        now = self.clock()
        id_hash = self._id_hash(headers, now)
        session = None if id_hash is None else self._session(id_hash, now)
        return session if session is not None and self._is_open(session, now) else None

    def sessions_of(self, account: Account) -> list[Session]:
        """The sessions in which the account is signed in, newest first."""
        now = self.clock()
        return [session for session in self.staff.sessions(account.id, now) if self._is_open(session, now)]

    def _is_open(self, session: Session, now: datetime) -> bool:
        idle = timedelta(minutes=self.settings.idle_minutes)
        return now < session.expires_at and now - session.last_used_at < idle

    def _use_session(self, session: Session) -> None:
        now = self.clock()
        if now - session.last_used_at >= USE_PAUSE:
            self._record_use(f"session {session.id_hash}", partial(self.staff.use_session, session.id_hash, now))

    def _use_token(self, token: Token) -> None:
        now = self.clock()
        if token.last_used_date != now.astimezone(UTC).date():
            self._record_use(f"token {token.id}", partial(self.staff.use_token, token.id, now))

    def _record_use(self, what: str, record: Callable[[], None]) -> None:
        """Record a use, unless the store has taken no writes within the last minute: reading goes on without.

        A store that is locked makes a single request wait, and none in the minute that follows.
        """
        if not self._is_seldom((what, "use")) or not self._recording.acquire(blocking=False):
            return
        try:
            if self.clock() - self._failed_at >= USE_PAUSE:
                record()
        except StoreError as error:
            self._failed_at = self.clock()
            log.warning("USE_NOT_RECORDED: a use of a session or token could not be recorded: %s", error)
        finally:
            self._recording.release()

    def _user(self, session: Session) -> User:
        token = csrf_token(self.secret, session.id_hash)
        return User(session.account.name, token, session.id_hash, is_token=False, role=session.account.role)

    def _id_hash(self, headers: Headers, now: datetime) -> str | None:
        signed = self.session_cookie.read(headers)
        session_id = None if signed is None else self.signer("session").open(signed, now)
        return None if session_id is None else fingerprint(session_id)

    def _recall(self, id_hash: str, version: Hashable) -> Session | None:
        """The cached session, if nothing was committed since it was loaded."""
        with self._cache_lock:
            if version != self._version:
                self._known.clear()
                self._version = version
            return self._known.get(id_hash)

    def _session(self, id_hash: str, now: datetime) -> Session | None:
        version = self.staff.version()
        known = self._recall(id_hash, version)
        if known is not None:
            return known
        session = self.staff.session(id_hash, now)
        with self._cache_lock:
            # A session loaded before a commit and cached after it could outlive its end.
            if session is not None and self._version == version:
                self._known[id_hash] = session
        return session

    # Signing in

    def remembering(self, name: str) -> str:
        """The value of the cookie that makes a browser a known one of the account called ``name``."""
        until = self.clock() + timedelta(seconds=self.known_cookie.seconds)
        return self.signer("known").close(fingerprint(account_key(name)), until)

    def password_method(self, headers: Headers, name: str) -> str:
        """How a password for ``name`` arrives: from a browser in which the account has signed in before or not."""
        signed = self.known_cookie.read(headers)
        known = None if signed is None else self.signer("known").open(signed, self.clock())
        return KNOWN_BROWSER if known == fingerprint(account_key(name)) else "password"

    def try_password(self, name: str, password: str, address: str, method: str) -> Account:
        """The account called ``name``, if this is its password.

        The response and the work are the same whether or not the account exists.

        Raises:
            ApiError: If the password is wrong, or too many wrong ones were tried.
        """
        with self._one_at_a_time():
            self._refuse_guessing(name, address, method)
            account = self.staff.account(name)
            is_right = matches(account.password_hash if account else None, password)
            outcome = _outcome(account, is_right=is_right)
            if account is None or outcome is not SignInOutcome.SIGNED_IN:
                self.record(name, address, method, outcome)
                raise ApiError(
                    403,
                    "WRONG_PASSWORD",
                    "A name and its password are required, but this name and password do not match.",
                )
        if account.password_hash is not None and needs_rehash(account.password_hash):
            self.staff.rehash(account.id, account.password_hash, hash_password(password))
        return account

    def hashed(self, password: str) -> str:
        """The hash of a new password."""
        with self._one_at_a_time():
            return hash_password(password)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """One attempt at a time, so that every failure is counted and RAM for a single hash is enough."""
        if not self._waiting.acquire(blocking=False):
            raise ApiError(
                503,
                "TOO_BUSY",
                "Signing in takes a moment, but too many people are signing in right now; try again in a few seconds.",
                {"Retry-After": "5"},
            )
        try:
            with self._trying:
                yield
        finally:
            self._waiting.release()

    def _refuse_guessing(self, name: str, address: str, method: str) -> None:
        if not self._has_guessed_enough(name, address, method):
            return
        self.record_seldom(name, address, method, SignInOutcome.THROTTLED)
        elsewhere = "" if method == KNOWN_BROWSER else ", or in a browser in which you have signed in before"
        raise ApiError(
            429,
            "TOO_MANY_TRIES",
            "Too many wrong passwords were tried for this name or from this address; "
            f"try again in {WINDOW // timedelta(minutes=1)} minutes{elsewhere}.",
            {"Retry-After": f"{WINDOW.total_seconds():.0f}"},
        )

    def _has_guessed_enough(self, name: str, address: str, method: str) -> bool:
        failures = self.staff.failures_since(name, address, self.clock() - WINDOW)
        if method == KNOWN_BROWSER:
            return failures.in_known_browsers >= ACCOUNT_FAILURES
        return (
            failures.here >= ACCOUNT_FAILURES
            or failures.of_address >= ADDRESS_FAILURES
            or failures.of_account >= STRANGERS_FAILURES
        )

    def open_session(self, account: Account, address: str, method: str) -> str:
        """Start a session for ``account`` with a new id; returns the value of its cookie.

        Raises:
            RequestError: If the account was disabled in the meantime.
        """
        now = self.clock()
        session_id, until = secrets.token_urlsafe(32), now + timedelta(hours=self.settings.session_hours)
        self.staff.open_session(account.id, fingerprint(session_id), method, now, until)
        self.record(account.name, address, method, SignInOutcome.SIGNED_IN)
        return self.signer("session").close(session_id, until)

    def end_session(self, session: Session, address: str) -> None:
        """End a session for good."""
        self.staff.end_session(session.id_hash, self.clock())
        self.record(session.account.name, address, session.method, SignInOutcome.SIGNED_OUT)

    def record(self, name: str, address: str, method: str, outcome: SignInOutcome) -> None:
        """Append an event to the chain of sign-ins."""
        self.staff.record(SignIn(self.clock(), account_key(name), address, method, outcome))

    def record_seldom(self, name: str, address: str, method: str, outcome: SignInOutcome) -> None:
        """Record what strangers can repeat at will, at most once a minute per address: they must not fill the disk."""
        if self._is_seldom((address, outcome)):
            self.record(name, address, method, outcome)

    def _is_seldom(self, key: tuple[str, str]) -> bool:
        """Whether this is the first time in a minute for ``key``; no longer true where too many keys were seen."""
        now = self.clock()
        with self._cache_lock:
            self._recorded_at = {other: at for other, at in self._recorded_at.items() if now - at < USE_PAUSE}
            is_first = key not in self._recorded_at and len(self._recorded_at) < MOST_RECORDED
            if is_first:
                self._recorded_at[key] = now
        return is_first


def _outcome(account: Account | None, *, is_right: bool) -> SignInOutcome:
    if account is None:
        return SignInOutcome.UNKNOWN_ACCOUNT
    if not account.is_active:
        return SignInOutcome.DISABLED
    return SignInOutcome.SIGNED_IN if is_right else SignInOutcome.WRONG_PASSWORD


def _shown_token(headers: Headers) -> str | None:
    """The token in ``Authorization``: as Bearer, or as a Basic password, which feed readers can send."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif scheme.lower() != "bearer":
        return None
    return value if TOKEN.fullmatch(value) else None
