"""A managed login without pages: from the address that an application redirects to, to the address that Cognito redirects to.

A code is bound to the client, the redirect address, the PKCE challenge and the nonce of its request. It works once, for five
minutes (RFC 6749 4.1, RFC 7636, OpenID Connect Core 3.1).
https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from cognito_session.core.crypto.encoding import to_base64url
from cognito_session.core.protocol.ports import GrantRefused

if TYPE_CHECKING:
    from cognito_session.core.protocol.ports import Clock, CodeGrant
    from cognito_session.testing.fake_pool import FakePool

__all__ = ["FakeAuthorizationServer"]

_CODE_SECONDS: Final = 300
_PAGES: Final = ("/oauth2/authorize", "/signup")


@dataclass(frozen=True, slots=True)
class _Code:
    """The values that a code is bound to."""

    username: str
    redirect_uri: str
    challenge: str
    nonce: str | None = field(repr=False)
    scopes: tuple[str, ...]
    made_at: float


class FakeAuthorizationServer:
    """An AuthorizationServer port over a FakePool. `domain` is its address without a path."""

    def __init__(self, pool: FakePool, domain: str, clock: Clock) -> None:
        self._pool = pool
        self._domain = domain
        self._clock = clock

    @property
    def domain(self) -> str:
        """The address of the OAuth endpoints."""
        return self._domain

    def authorize(self, url: str, username: str, *, error: str | None = None) -> str:
        """The address that Cognito redirects to after this user has signed in at `url`, or after `error`.

        Raises ValueError for a request that Cognito answers with a page of its own.
        """
        asked = self._asked(url)
        if error is not None:
            return _address(asked["redirect_uri"], {"error": error, "state": asked.get("state")})
        scopes = tuple(asked.get("scope", "openid").split())
        code = self._pool.entropy.uuid()
        bound = _Code(username, asked["redirect_uri"], asked["code_challenge"], asked.get("nonce"), scopes, self._clock.now())
        with self._pool.lock:
            self._pool.state.codes[code] = bound
        return _address(asked["redirect_uri"], {"code": code, "state": asked.get("state")})

    def exchange(self, grant: CodeGrant) -> dict[str, Any] | GrantRefused:
        """The token endpoint's response; a refused code is used up as well."""
        with self._pool.lock:
            code = self._pool.state.codes.pop(grant.code, None)
            if not isinstance(code, _Code) or not self._redeems(grant, code):
                return GrantRefused("invalid_grant")
            result = self._pool.sign_in(code.username, scopes=code.scopes, nonce=code.nonce)
        return {
            "access_token": result["AccessToken"],
            "id_token": result["IdToken"],
            "refresh_token": result["RefreshToken"],
            "expires_in": result["ExpiresIn"],
            "token_type": "Bearer",
        }

    def _redeems(self, grant: CodeGrant, code: _Code) -> bool:
        challenge = to_base64url(sha256(grant.verifier.encode()).digest())
        in_time = self._clock.now() - code.made_at < _CODE_SECONDS
        return in_time and grant.redirect_uri == code.redirect_uri and challenge == code.challenge

    def _asked(self, url: str) -> dict[str, str]:
        found = urlsplit(url)
        asked = dict(parse_qsl(found.query))
        if f"{found.scheme}://{found.netloc}" != self._domain or found.path not in _PAGES:
            raise ValueError(f"authorize: expected an address of {self._domain} that managed login's start() redirects to")
        wanted = {"response_type": "code", "client_id": self._pool.client_id, "code_challenge_method": "S256"}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("redirect_uri", "code_challenge") if not asked.get(name)]
        if wrong:
            raise ValueError(f"authorize: Cognito would refuse the request for its {', '.join(wrong)}")
        return asked


def _address(redirect_uri: str, told: dict[str, str | None]) -> str:
    query = urlencode({name: value for name, value in told.items() if value is not None})
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"
