"""An authorization request that a browser sends to managed login (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1).

ministack checks the client, redirect_uri, scope and PKCE: it shows its sign-in page only if they are valid. If a parameter is
repeated, the first one counts, as in ministack.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlencode

from cognito_session.local.http_response import HttpResponse, redirect
from cognito_session.local.ministack_records import AppClient

__all__ = ["AuthorizationRequest", "form_of"]

_PATH = "/oauth2/authorize"


def form_of(text: bytes) -> dict[str, str]:
    """The parameters of a query or of a form body, by name."""
    parsed = parse_qs(text.decode("utf-8", errors="replace"), keep_blank_values=True)
    return {name: values[0] for name, values in parsed.items()}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The parameters of one authorization request."""

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """A request with these parameters. The provider COGNITO means the user pool itself, so it is removed."""
        native = parameters.get("identity_provider") == "COGNITO"
        return cls({name: value for name, value in parameters.items() if not (native and name == "identity_provider")})

    @property
    def client_id(self) -> str:
        """The app client's id."""
        return self.parameters.get("client_id", "")

    @property
    def prompts(self) -> frozenset[str]:
        """The values of `prompt`."""
        return frozenset(self.parameters.get("prompt", "").split())

    def scope(self, scope: MutableMapping[str, Any]) -> dict[str, Any]:
        """An ASGI scope that sends this request to ministack, based on the scope of any other page."""
        query = urlencode(self.parameters).encode()
        return {**scope, "method": "GET", "path": _PATH, "raw_path": _PATH.encode(), "query_string": query}

    def for_client(self, client: AppClient) -> Self:
        """The same request, with the client's DefaultRedirectURI if it names no redirect_uri."""
        default = {"redirect_uri": client.settings.get("DefaultRedirectURI", "")}
        return type(self)({**self.parameters, **({} if self.parameters.get("redirect_uri") else default)})

    def error(self, code: str, description: str) -> str:
        """The address that reports an error to the app (RFC 6749 4.1.2.1)."""
        told = {"error": code, "error_description": description, "state": self.parameters.get("state", "")}
        redirect_uri = self.parameters["redirect_uri"]
        query = urlencode({name: value for name, value in told.items() if value}, quote_via=quote)
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"

    def refused(self, code: str, description: str) -> HttpResponse:
        """The redirect that reports an error to the app."""
        return redirect(self.error(code, description))
