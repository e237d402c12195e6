"""The cookies of one browser for one site, kept and refused as browsers do (RFC 6265bis 5).

As in a browser, a cookie is dropped silently if it is too large or if its attributes do not fit its name prefix.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cognito_session.core.protocol.ports import Clock

__all__ = ["CookieJar", "StoredCookie"]

_MOST_BYTES: Final = 4096


class StoredCookie(NamedTuple):
    """A cookie. `expires_at`: epoch seconds on the test's clock, None for a session cookie."""

    name: str
    value: str
    path: str
    expires_at: float | None

    def __repr__(self) -> str:
        return f"StoredCookie({self.name!r}, path={self.path!r})"


class CookieJar:
    """Cookies by name and path."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cookies: dict[tuple[str, str], StoredCookie] = {}

    def __repr__(self) -> str:
        return f"CookieJar({sorted(name for name, _ in self._cookies)})"

    def keep(self, line: str) -> None:
        """Process one Set-Cookie value."""
        pair, *attributes = line.split(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        said = {key.strip().lower(): text.strip() for key, _, text in (each.partition("=") for each in attributes)}
        if not name or len(name) + len(value) > _MOST_BYTES or not _prefix_allows(name, said):
            return
        path = said["path"] if said.get("path", "").startswith("/") else "/"
        expires_at = self._expiry(said)
        self._cookies.pop((name, path), None)
        if expires_at is None or expires_at > self._clock.now():
            self._cookies[name, path] = StoredCookie(name, value, path, expires_at)

    def cookies(self, path: str = "/", *, without: Collection[str] = ()) -> list[StoredCookie]:
        """The cookies of a request for this path, longest paths first."""
        now = self._clock.now()
        alive = [each for each in self._cookies.values() if each.expires_at is None or each.expires_at > now]
        sent = [each for each in alive if each.name not in without and _covers(each.path, path)]
        return sorted(sent, key=lambda each: -len(each.path))

    def header(self, path: str = "/", *, without: Collection[str] = ()) -> str:
        """The Cookie header for this path, "" for none."""
        return "; ".join(f"{each.name}={each.value}" for each in self.cookies(path, without=without))

    def has(self, name: str) -> bool:
        """Whether a request for "/" sends a cookie of this name."""
        return any(each.name == name for each in self.cookies())

    def contents(self) -> dict[tuple[str, str], StoredCookie]:
        """A copy of the contents."""
        return dict(self._cookies)

    def refill(self, contents: Mapping[tuple[str, str], StoredCookie]) -> None:
        """Replace the contents."""
        self._cookies = dict(contents)

    def _expiry(self, said: Mapping[str, str]) -> float | None:
        """Max-Age wins over Expires (RFC 6265 5.3)."""
        try:
            if "max-age" in said:
                return self._clock.now() + int(said["max-age"])
            return parsedate_to_datetime(said["expires"]).timestamp() if "expires" in said else None
        except ValueError:
            return None


def _prefix_allows(name: str, said: Mapping[str, str]) -> bool:
    """RFC 6265bis 4.1.3 and 5.7: prefixes, and SameSite=None only with Secure."""
    secure, lower = "secure" in said, name.lower()
    if said.get("samesite", "").lower() == "none" and not secure:
        return False
    if lower.startswith("__host-"):
        return secure and said.get("path") == "/" and not said.get("domain")
    return secure or not lower.startswith("__secure-")


def _covers(cookie_path: str, path: str) -> bool:
    """RFC 6265 5.1.4."""
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith("/") else cookie_path + "/")
