"""CognitoAuthorizationServer: the token endpoint at the user pool's domain, and the address of that domain.

A code can be redeemed once, so the request is sent once and never resent. If the answer is lost, the code may have been
redeemed. Only `invalid_grant` and `invalid_request` are about the code; every other refusal is a configuration error.
https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.refusal_messages import WRONG_SECRET, is_about_client_secret
from cognito_session.aws.transport.answer import read_object
from cognito_session.aws.transport.endpoint import check_address, wants_fips
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.partition import login_host
from cognito_session.core.protocol.ports import GrantRefused
from cognito_session.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.client_secret import ClientSecret
    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.ports import CodeGrant

__all__ = ["CognitoAuthorizationServer", "domain_address"]

_TIMEOUT_SECONDS: Final = 5.0
_OK: Final = 200
_SERVER_ERROR: Final = 500
_ABOUT_THE_CODE: Final = frozenset({"invalid_grant", "invalid_request"})
_MISCONFIGURED: Final = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})


class CognitoAuthorizationServer:
    """Redeems codes for one app client. `wire` is called at the first use."""

    def __init__(
        self,
        wire: Callable[[], Wire],
        *,
        domain: str | None,
        region: str,
        client_id: str,
        client_secret: ClientSecret,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._wire = wire
        self._configured = domain
        self._region = region
        self._environ = environ or {}
        self._client_id = client_id
        self._client_secret = client_secret

    def __repr__(self) -> str:
        return f"CognitoAuthorizationServer(domain={self._configured!r}, client_id={self._client_id!r})"

    @property
    def domain(self) -> str:
        """The address of the OAuth endpoints, without a path. Raises ConfigurationError."""
        if self._configured is None:
            raise ConfigurationError(
                "COGNITO_DOMAIN is not set: it is the user pool's domain prefix, its custom domain, or an address"
                " (Cognito console: User pools, your pool, Branding, Domain)"
            )
        return domain_address(self._configured, self._region, self._environ)

    def exchange(self, grant: CodeGrant) -> dict[str, Any] | GrantRefused:
        """Redeem the code. Returns the answer with access_token, id_token and refresh_token, or the endpoint's refusal.

        Raises ProviderUnavailable (`.sent` is False if the code is still unused) and ConfigurationError.
        """
        fields = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": Secret(grant.code),
            "redirect_uri": grant.redirect_uri,
            "code_verifier": Secret(grant.verifier),
        }
        secret = self._client_secret.read()
        basic = None if secret is None else (self._client_id, secret)
        try:
            status, body = self._wire().post_form(
                f"{self.domain}/oauth2/token", fields, timeout_seconds=_TIMEOUT_SECONDS, basic=basic, once=True
            )
        except NotSent as error:
            raise ProviderUnavailable(f"Cognito's token endpoint: {error}", sent=False) from error
        except (AnswerLost, ServiceError) as error:
            raise ProviderUnavailable(f"Cognito's token endpoint: {error}", sent=None) from error
        return _read(status, body)


def domain_address(domain: str, region: str, environ: Mapping[str, str]) -> str:
    """The address of the domain in COGNITO_DOMAIN: a prefix, a host or an address. Raises ConfigurationError.

    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
    """
    if "://" in domain:
        return check_address(domain, "COGNITO_DOMAIN", environ).rstrip("/")
    host = domain.rstrip("/")
    if "." not in host and ":" not in host:
        host = login_host(host, region, fips=wants_fips(environ))
    return check_address(f"https://{host}", "COGNITO_DOMAIN")


def _read(status: int, body: bytes) -> dict[str, Any] | GrantRefused:
    found = read_object("oauth2", body) or {}
    if status == _OK and isinstance(found.get("access_token"), str):
        return found
    error = found.get("error") if _OK < status < _SERVER_ERROR else None
    if not isinstance(error, str):
        error = None
    description = found.get("error_description")
    if error in _ABOUT_THE_CODE and is_about_client_secret(str(error), description if isinstance(description, str) else ""):
        raise ConfigurationError(f"Cognito's token endpoint refuses this app client ({error}): {WRONG_SECRET}")
    if error in _ABOUT_THE_CODE:
        return GrantRefused(str(error))
    if error in _MISCONFIGURED:
        raise ConfigurationError(
            f"Cognito's token endpoint refuses this app client ({error}): check CLIENT_ID and CLIENT_SECRET, and that the app"
            " client allows the authorization code grant (Cognito console: App clients, Login pages)"
        )
    hint = "" if found or status >= _SERVER_ERROR else ", and not as Cognito does: check COGNITO_DOMAIN, proxies and firewalls"
    raise ProviderUnavailable(f"Cognito's token endpoint answered HTTP {status}{hint}", sent=True)
