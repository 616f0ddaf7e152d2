"""Signing in at an OpenID Connect provider: it identifies a person, and the store decides whether to let them in.

Authorization code with PKCE, state and nonce (OpenID Connect Core 1.0; RFC 9700, 2.1). Accounts are never created here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]
from httpx2 import HTTPError, InvalidURL
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from telemetry_quality.dashboard.access.identity import address_of
from telemetry_quality.dashboard.access.paths import OIDC_CALLBACK, return_path
from telemetry_quality.dashboard.api_errors import ApiError, shown
from telemetry_quality.errors import RequestError
from telemetry_quality.storage.staff.changes import Actor
from telemetry_quality.storage.staff.sign_ins import SignInOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from telemetry_quality.dashboard.access.users import Access
    from telemetry_quality.settings import OidcSettings
    from telemetry_quality.storage.staff.lookup import Account

log = logging.getLogger(__name__)

METHOD = "oidc"
TIMEOUT_SECONDS = 10

AUTHLIB_DATA = "session"
"""The key in a request's scope under which Authlib stores what it needs when the browser comes back."""

ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""The accepted signatures, made with a key that only the provider has: neither ``none`` nor a shared secret."""

_FAILURES = (AuthlibBaseError, JoseError, HTTPError, InvalidURL, ValueError, LookupError, TypeError, RuntimeError)
"""The errors that the libraries raise when a provider is down, misconfigured or malicious."""


class Provider:
    """The provider named in the settings.

    Args:
        settings: The provider's settings, and the claim that holds the account name.
        access: The dashboard's accounts.
    """

    def __init__(self, settings: OidcSettings, access: Access) -> None:
        self._settings = settings
        self._access = access
        self._callback = f"{access.settings.url}{OIDC_CALLBACK}"
        self._client = OAuth().register(
            "provider",
            server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            client_kwargs={"scope": "openid email profile", "timeout": TIMEOUT_SECONDS},
        )

    async def start(self, request: Request, wanted: str) -> Response:
        """Send the browser to the provider with a cookie that it must bring back.

        Raises:
            ApiError: If the provider cannot be reached.
        """
        request.scope[AUTHLIB_DATA] = {}
        # Generated here because the library would log it.
        verifier = secrets.token_urlsafe(48)
        challenge = _unpadded(hashlib.sha256(verifier.encode()).digest())
        try:
            await self._load_metadata()
            way = await self._client.create_authorization_url(
                self._callback, code_challenge=challenge, code_challenge_method="S256"
            )
            await self._client.save_authorize_data(request, redirect_uri=self._callback, code_verifier=verifier, **way)
        except _FAILURES as error:
            raise await self._failed(request, error) from None
        response = RedirectResponse(way["url"], 303)
        self._put_cookie(response, {"authorization": request.scope[AUTHLIB_DATA], "next": wanted})
        return response

    async def finish(self, request: Request) -> tuple[Account, str]:
        """The account that the provider vouches for, and the page that the user wanted.

        Raises:
            ApiError: If the provider does not vouch for anybody, or there is no such account.
        """
        kept = self._read_cookie(request)
        request.scope[AUTHLIB_DATA] = kept.get("authorization", {})
        try:
            metadata = await self._load_metadata()
            token = await self._client.authorize_access_token(request, claims_options=self._wanted_claims(metadata))
            claims = token["userinfo"]
            name, subject = self._name(claims), str(claims["sub"])
        except _FAILURES as error:
            raise await self._failed(request, error) from None
        account = await run_in_threadpool(self._account, name, claims["iss"], subject, address_of(request))
        if account is None:
            await self._record(request, name)
            raise ApiError(
                403,
                "NO_ACCOUNT",
                "An active account is required, but no active account matches the provider's answer; "
                "ask the operator of this dashboard to add one.",
            )
        return account, return_path(kept.get("next", ""))

    async def _load_metadata(self) -> dict[str, Any]:
        """The provider's metadata, without anything that would weaken the checks of its answers."""
        metadata: dict[str, Any] = await self._client.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self._settings.issuer:
            # Load it again next time: the provider may be fixed by then.
            metadata.pop("_loaded_at", None)
            raise ValueError("the provider's metadata names another issuer")
        offered = metadata.get("id_token_signing_alg_values_supported") or ()
        metadata["id_token_signing_alg_values_supported"] = [
            algorithm for algorithm in offered if algorithm in ASYMMETRIC
        ] or ["RS256"]
        ways = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" not in ways and "client_secret_post" in ways:
            self._client.client_kwargs["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105 - a way
        return metadata

    def _wanted_claims(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": self._settings.client_id},
            "sub": {"essential": True, "allow_blank": False},
        }

    def _name(self, claims: Mapping[str, Any]) -> str:
        """The account name in the claims; an unverified address is refused because it could be anybody's."""
        name = claims.get(self._settings.claim)
        if self._settings.claim == "email" and claims.get("email_verified") is not True:
            raise ValueError("the address is not verified")
        if not isinstance(name, str) or not name.strip():
            raise ValueError("the claim is missing")
        return name

    def _account(self, name: str, issuer: str, subject: str, address: str) -> Account | None:
        """The active account of exactly that name, bound to this person at the first sign-in.

        Only an account that was made for the provider is bound: one with a password belongs to whoever knows it.
        """
        account = self._access.staff.account(name)
        if account is None or not account.is_active or account.name != name:
            return None
        if (account.oidc_issuer, account.oidc_subject) != (issuer, subject):
            if account.password_hash is not None:
                return None
            try:
                now, actor = self._access.clock(), Actor(account.name, address)
                self._access.staff.bind_oidc(account.id, issuer, subject, now, actor=actor)
            except RequestError:
                return None
        return account

    async def _failed(self, request: Request, error: Exception) -> ApiError:
        """The API error for a failed sign-in; it does not repeat what the provider or a stranger sent."""
        log.warning("A sign-in at the OpenID Connect provider failed: %s", shown(type(error).__name__))
        arguments = ("", address_of(request), METHOD, SignInOutcome.REFUSED)
        await run_in_threadpool(self._access.record_seldom, *arguments)
        if isinstance(error, HTTPError):
            return ApiError(
                502,
                "PROVIDER_UNREACHABLE",
                "The sign-in provider is required for this, but it does not respond; try again in a moment, "
                "or sign in with a password.",
            )
        return ApiError(
            403,
            "PROVIDER_REFUSED",
            "A completed sign-in at the provider is required, but this one failed or took too long; start again.",
        )

    async def _record(self, request: Request, name: str) -> None:
        arguments = (name, address_of(request), METHOD, SignInOutcome.REFUSED)
        await run_in_threadpool(self._access.record, *arguments)

    def _put_cookie(self, response: Response, kept: Mapping[str, Any]) -> None:
        access = self._access
        text = _unpadded(json.dumps(kept).encode())
        until = access.clock() + timedelta(seconds=access.oidc_cookie.seconds)
        access.oidc_cookie.put(response, access.signer("oidc").close(text, until))

    def _read_cookie(self, request: Request) -> dict[str, Any]:
        """What ``start`` stored in this browser; empty if it is missing, changed or too old."""
        access = self._access
        signed = access.oidc_cookie.read(request.headers)
        text = None if signed is None else access.signer("oidc").open(signed, access.clock())
        return json.loads(base64.urlsafe_b64decode(f"{text}==")) if text else {}


def _unpadded(content: bytes) -> str:
    """``content`` in characters that need no quoting in cookies and addresses."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
