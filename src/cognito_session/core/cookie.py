"""Cookie header in, candidate values out; session in, Set-Cookie line out.

Rules (RFC 6265 5.4 and 4.1, rfc6265bis 4.1.3): split on ";", strip only space and tab, split on the first "=",
compare names byte for byte, no unquoting, no percent-decoding. Linear in the header's length. Knows nothing of
tokens or seals: which candidate verifies is the flow's question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.secret import Secret

__all__ = ["Candidates", "Cookie", "CookieHeaders"]

CookieHeaders = str | Sequence[str] | Secret[Any] | None
"""A Cookie header, several of them, or none."""

SAME_SITE: Final = ("Lax", "Strict", "None")
MAX_CANDIDATES: Final = 4
MAX_HEADER_CHARS: Final = 65_536
MAX_COOKIE_BYTES: Final = 4096
"""Name and value together; browsers drop a larger cookie without a word (rfc6265bis 5.6)."""

MAX_AGE_SECONDS: Final = 400 * 86_400
"""Browsers keep no cookie longer (rfc6265bis 5.5)."""
MAX_EXAMINED: Final = 64
"""How many values of the name are looked at: a header full of rubbish must not cost more than one of cookies."""

_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]{1,4096}")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")


class Candidates(NamedTuple):
    """Distinct well-formed values of the wanted name, in order of appearance, at most four."""

    values: tuple[str, ...]
    malformed: bool
    """Whether the name was there with a value that no cookie of ours could have."""

    def __repr__(self) -> str:
        return f"Candidates({len(self.values)} hidden, malformed={self.malformed})"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie name and everything sent with it: HttpOnly, Secure, SameSite, Path=/, no Domain.

    `same_site`: "Lax", "Strict" or "None" (rfc6265bis 4.1.2.7). Raises ConfigurationError for another one, and for a name that
    is not a token (RFC 9110 5.6.2).
    """

    name: str
    same_site: str = "Lax"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                "cookie_name: expected 1 to 256 characters of A-Z a-z 0-9 and !#$%&'*+-.^_`|~ (RFC 9110 5.6.2)"
            )
        if self.same_site not in SAME_SITE:
            raise ConfigurationError('same_site: expected "Lax", "Strict" or "None"')

    def beside(self, suffix: str) -> Cookie:
        """A cookie of the same session beside this one, always with the prefix that no other host can write.

        (rfc6265bis 4.1.3.2)
        """
        name = self.name if self.has_host_prefix else f"__Host-{self.name}"
        return Cookie(f"{name}-{suffix}", self.same_site)

    @property
    def has_host_prefix(self) -> bool:
        """Whether browsers take this cookie from this host alone."""
        return self.name.startswith("__Host-")

    def candidates(self, headers: CookieHeaders) -> Candidates:
        """The values of exactly this name in one or more Cookie headers."""
        values: dict[str, None] = {}
        malformed = False
        for header in _header_list(headers):
            if self.name not in header:
                continue
            if len(header) > MAX_HEADER_CHARS:
                malformed = True
                continue
            for value in _values_of(self.name, header):
                if _VALUE.fullmatch(value):
                    values[value] = None
                else:
                    malformed = True
                if len(values) == MAX_CANDIDATES:
                    return Candidates(tuple(values), malformed)
        return Candidates(tuple(values), malformed)

    def set_line(self, value: str, *, max_age_seconds: int) -> str:
        """The Set-Cookie value that stores `value`.

        Raises ConfigurationError for a cookie over 4096 bytes: a browser would drop it silently.
        """
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", value):
            raise ConfigurationError(f"cookie {self.name}: expected a value of A-Z a-z 0-9 . _ ~ - only")
        size = len(self.name) + len(value)
        if size > MAX_COOKIE_BYTES:
            raise ConfigurationError(
                f"cookie {self.name}: {size} bytes, but browsers drop cookies over {MAX_COOKIE_BYTES}. The access "
                "token is too large for a token cookie (many groups or claims?): use SessionManager's sealed cookie."
            )
        return f"{self.name}={value}; Max-Age={max(0, min(max_age_seconds, MAX_AGE_SECONDS))}{self._attributes}"

    def delete_line(self) -> str:
        """The Set-Cookie value that removes the cookie: exactly the attributes it was set with (RFC 6265 5.3)."""
        return f"{self.name}=; Max-Age=0{self._attributes}"

    @property
    def _attributes(self) -> str:
        return f"; Path=/; HttpOnly; Secure; SameSite={self.same_site}"


def _header_list(headers: CookieHeaders) -> Iterable[str]:
    if headers is None:
        return ()
    if isinstance(headers, str):
        return (headers,)
    if isinstance(headers, Secret):
        return _header_list(headers.reveal())
    return [header for header in headers if isinstance(header, str)]


@lru_cache(maxsize=16)
def _pairs_named(name: str) -> re.Pattern[str]:
    """Linear: each part is anchored at a ";". A blank between name and "=" makes it another name."""
    return re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=([^;]*)")


def _values_of(name: str, header: str) -> list[str]:
    return [value.strip(" \t") for value in _pairs_named(name).findall(header)[:MAX_EXAMINED]]
