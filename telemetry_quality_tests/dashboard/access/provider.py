"""A small OpenID Connect provider on loopback that lies as a test requires."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

CLIENT_ID = "telemetry-quality"
CLIENT_SECRET = "the client's secret"
KEY_ID = "first"


@cache
def new_key(name: str) -> RSAKey:
    """Keys, shared because making one takes a moment."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@dataclass
class FakeProvider:
    """Records its requests and responds with ``claims`` merged over the honest ones.

    Attributes:
        claims: Replaces or, with None, removes claims of the ID token.
        algorithm: The signature algorithm.
        breaks: What fails: ``discovery``, ``token`` or ``keys``.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    key_name: str = KEY_ID
    algorithm: str = "RS256"
    breaks: str = ""
    issuer: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    def _discovery(self, _: Request) -> Response:
        if self.breaks == "discovery":
            return Response("<html>down</html>", 503)
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                **self.metadata,
            }
        )

    def _authorize(self, request: Request) -> Response:
        """Accept every visitor as the person of the claims; a real provider would ask."""
        self.asked.append(dict(request.query_params))
        response = {"code": f"code-{len(self.asked)}", "state": request.query_params["state"]}
        return RedirectResponse(f"{request.query_params['redirect_uri']}?{urlencode(response)}", 302)

    async def _token(self, request: Request) -> Response:
        if self.breaks == "token":
            return JSONResponse({"error": "invalid_grant", "error_description": "<script>no</script>"}, 400)
        fields = dict(parse_qsl((await request.body()).decode()))
        self.redeemed.append(fields)
        asked = self.asked[int(fields["code"].removeprefix("code-")) - 1]
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(fields.get("code_verifier", "").encode()).digest())
        is_by_header = request.headers.get("authorization") == f"Basic {expected}"
        is_by_form = (fields.get("client_id"), fields.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        wants_form = self.metadata.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]
        is_honest = (
            (is_by_form if wants_form else is_by_header)
            and asked["code_challenge"] == challenge.rstrip(b"=").decode()
            and asked["redirect_uri"] == fields["redirect_uri"]
        )
        if not is_honest:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "an access token", "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])}
        )

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        honest = {
            "iss": self.issuer,
            "sub": "person-1",
            "aud": CLIENT_ID,
            "exp": now + 60,
            "iat": now,
            "nonce": nonce,
            "email": "ada",
            "email_verified": True,
        }
        claims = {name: value for name, value in {**honest, **self.claims}.items() if value is not None}
        if self.algorithm == "none":
            parts = ({"alg": "none", "kid": KEY_ID}, claims)
            encoded = (base64.urlsafe_b64encode(_json(part)).rstrip(b"=").decode() for part in parts)
            return f"{'.'.join(encoded)}."
        key: Any = new_key(self.key_name)
        if self.algorithm == "HS256":
            key = OctKey.import_key(new_key(KEY_ID).as_pem(private=False))
        return jwt.encode({"alg": self.algorithm, "kid": KEY_ID}, claims, key, algorithms=[self.algorithm])

    def _keys(self, _: Request) -> Response:
        if self.breaks == "keys":
            return JSONResponse({"keys": [{"kty": "nonsense"}]})
        return JSONResponse({"keys": [new_key(KEY_ID).as_dict(private=False)]})


def _json(part: dict[str, Any]) -> bytes:
    return bytes(JSONResponse(part).body)
