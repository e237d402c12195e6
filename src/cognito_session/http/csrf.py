"""Cross-site request forgery: whether a request that changes something comes from one of our own pages.

1. Safe methods pass; they change nothing.
2. Sec-Fetch-Site decides where it is there: browsers set it, no page can. `same-origin`, or `none` (the person's own doing,
   such as the address bar), passes; `same-site` and `cross-site` only from a trusted origin.
3. Without it, Origin must be exactly ours or a trusted one. With neither the request is refused.
   Under WSGI both headers are held to these rules, where they are there: a server may hand over a header Sec_Fetch_Site, which
   scripts may set, under the name of Sec-Fetch-Site (PEP 3333; RFC 3875 4.1.18).
4. With `header_token` a request that has neither may prove itself by the session's own token in X-CSRF-Token.
5. A WebSocket handshake is a GET that any page can send: both headers are held to these rules, where they are there.
(W3C Fetch Metadata; OWASP CSRF Prevention Cheat Sheet; RFC 10017 6.1.3.3.2; RFC 6455 10.2)
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from cognito_session.core.checks import check_boolean, check_names, check_text
from cognito_session.core.errors import ConfigurationError, SessionForbidden
from cognito_session.http.url_escaping import escaped_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_session.http.request import Request

__all__ = ["TOKEN_HEADER", "Csrf", "CsrfVerdict", "csrf_refusal", "origin_of"]

TOKEN_HEADER: Final = "x-csrf-token"
_ORIGIN: Final = re.compile(r"(https?)://((?:[a-z0-9-]+\.)*[a-z0-9-]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?")
_LOOPBACK: Final = re.compile(r"(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?")
_ADDRESS: Final = re.compile(r"(https?://[^/?#]+)[/]?[^?#]*")

_OTHER_PATHS: Final = re.compile(r"%(?:2[5EF]|3[BF]|23|5C|[01][0-9A-F]|7F|(?![0-9A-F]{2}))|\\")
"""Escapes that a router may take for the structure of a path: percent signs, dots, slashes, `;?#`, backslashes, controls."""
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


class CsrfVerdict(Enum):
    """What a request's own headers say."""

    PASSES = "passes"
    REFUSED = "refused"
    SILENT = "silent"
    """Neither Sec-Fetch-Site nor Origin: refused, unless the session's token speaks for it."""


class _Csrf(NamedTuple):
    trusted_origins: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()
    header_token: bool = False
    own_origin: str | None = None


class Csrf(_Csrf):
    """Which requests count as our own.

    `trusted_origins`: further origins, such as "https://admin.example", whose pages may send requests that change
    something. `exempt`: paths that are not checked, exact or with a final "*" ("/webhooks/*"): for callers that are no
    browsers and prove themselves otherwise. `header_token`: accept the session's token in X-CSRF-Token from browsers too
    old for both headers. `own_origin`: ours; without it, https and the request's Host. Raises ConfigurationError.
    """

    __slots__ = ()

    def __new__(
        cls,
        trusted_origins: Sequence[str] = (),
        exempt: Sequence[str] = (),
        header_token: bool = False,
        own_origin: str | None = None,
    ) -> Self:
        """Check the settings."""
        for texts, name in ((trusted_origins, "trusted_origins"), (exempt, "exempt")):
            check_names(f"csrf {name}", texts)
        check_boolean("csrf header_token", header_token)
        if own_origin is not None:
            check_text("csrf own_origin", own_origin)
        for origin in (*trusted_origins, *([own_origin] if own_origin is not None else [])):
            if not _ORIGIN.fullmatch(origin):
                raise ConfigurationError("csrf: expected an origin like https://app.example, lower-case and without a path")
        for path in exempt:
            if not path.startswith("/") or "*" in path[:-1]:
                raise ConfigurationError('csrf exempt: expected a path like "/webhooks/stripe" or "/webhooks/*"')
        return super().__new__(cls, tuple(trusted_origins), tuple(exempt), header_token, own_origin)

    def verdict(self, request: Request) -> CsrfVerdict:
        """What the request's headers say of where it comes from."""
        if request.is_safe or self._is_exempt(request.path):
            return CsrfVerdict.PASSES
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        trusted = origin is not None and origin in self.trusted_origins
        if site is not None:
            ours = site in ("same-origin", "none") and not self._contradicts(origin, request)
            return CsrfVerdict.PASSES if ours or trusted else CsrfVerdict.REFUSED
        if origin is not None:
            return CsrfVerdict.PASSES if trusted or self._is_own(origin, request) else CsrfVerdict.REFUSED
        return CsrfVerdict.SILENT

    def admits_handshake(self, request: Request) -> bool:
        """Whether a WebSocket may be opened: browsers let any page do it, and send our cookies along (RFC 6455 10.2).

        Sec-Fetch-Site alone does not decide here: Origin must be fine as well, where it is there. A handshake with neither
        header does not come from a browser, so that it carries no user's cookie.
        """
        asked = request._replace(method="POST")
        by_origin = asked._replace(headers={name: value for name, value in asked.headers.items() if name != "sec-fetch-site"})
        return CsrfVerdict.REFUSED not in (self.verdict(asked), self.verdict(by_origin))

    def _contradicts(self, origin: str | None, request: Request) -> bool:
        """Whether Origin makes a Sec-Fetch-Site doubtful that a script may have sent under another name."""
        return request.names_ambiguous and origin is not None and not self._is_own(origin, request)

    def _is_exempt(self, path: str) -> bool:
        """A path that a router may read as another one (dots, escaped slashes) is exempt only where it is named letter by
        letter.

        Other escapes are spelled alike on both sides: the gateway decides whether a setting meets "ü" or "%C3%BC".
        """
        if not self.exempt:
            return False
        path = _spelled(path)
        plain = ".." not in path and not _OTHER_PATHS.search(path) and not _reads_otherwise(path)
        return any(
            path == known or (plain and known.endswith("*") and path.startswith(known[:-1]))
            for known in map(_spelled, self.exempt)
        )

    def _is_own(self, origin: str, request: Request) -> bool:
        if self.own_origin is not None:
            return origin == self.own_origin
        host = request.header("host")
        if host is None or not _ORIGIN.fullmatch(origin):
            return False
        host = host.lower()
        return origin == f"https://{host}" or (origin == f"http://{host}" and _LOOPBACK.fullmatch(host) is not None)


def _spelled(path: str) -> str:
    """The path with one spelling for each character: escapes in capitals, and only where a browser would escape."""
    return _ESCAPE.sub(_one_spelling, escaped_path(path, decoded=False))


def _reads_otherwise(path: str) -> bool:
    """Whether characters beyond ASCII become dots or the structure of a path where a router normalizes what it has decoded.

    As in return_to: wide forms of dots and slashes (Unicode NFKC); bytes that are no UTF-8, such as an overlong dot, as well.
    """
    from urllib.parse import unquote

    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        return True
    if decoded.isascii():
        return False
    import unicodedata

    normal = unicodedata.normalize("NFKC", decoded)
    return ".." in normal or any(normal.count(each) != decoded.count(each) for each in "/\\%;?#")


def _one_spelling(escape: re.Match[str]) -> str:
    character = chr(int(escape[0][1:], 16))
    return (
        character if character.isascii() and (character.isalnum() or character in "-_~!$&'()*+,:=@|[]") else escape[0].upper()
    )


def csrf_refusal() -> SessionForbidden:
    """The 403 of a request that changes something and does not come from our own pages."""
    return SessionForbidden(
        "a request that changes something must come from our own pages: neither Sec-Fetch-Site nor Origin said so. Behind a"
        " proxy that changes Host, set APP_BASE_URL",
        reason="cross_site",
    )


def origin_of(address: str, source: str = "APP_BASE_URL") -> str:
    """The origin of an http or https address, lower-case, without a port that is the scheme's own (RFC 6454 4)."""
    found = _ADDRESS.fullmatch(address)
    origin = found[1].lower() if found else ""
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        raise ConfigurationError(f"{source}: expected an address like https://app.example, without query and fragment")
    scheme, host, port = parts.groups()
    plain = port is None or port == {"http": "80", "https": "443"}[scheme]
    return f"{scheme}://{host}" if plain else f"{scheme}://{host}:{port}"
