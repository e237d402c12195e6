r"""Where to go after a sign-in or sign-out: a path of our own site, whatever the request says.

An address that a browser could read as another site's, now or after decoding, is not repaired but replaced by the default:
`//evil`, `/\evil`, `https:evil`, control characters, and the same in percent-encoding, however often (OWASP Unvalidated
Redirects; WHATWG URL, which treats backslashes as slashes and drops tabs and line ends).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from cognito_session.core.errors import ConfigurationError

__all__ = ["own_path", "safe_return_to"]

MAX_CHARS: Final = 512
"""Several sign-ins at once each keep one in a cookie, and API Gateway takes 10 kB of headers."""
_DECODINGS: Final = 5


def safe_return_to(wanted: object, default: str = "/") -> str:
    """`wanted` where it is a path of this site with at most 512 characters, else `default`."""
    return wanted if isinstance(wanted, str) and _is_own(wanted) else default


def own_path(path: str, setting: str) -> str:
    """`path`, as a setting. Raises ConfigurationError for what is no plain path of this site."""
    if not _is_own(path):
        raise ConfigurationError(f"{setting}: expected a path of your site like /login, of at most {MAX_CHARS} characters")
    return path


def _is_own(path: str) -> bool:
    if not 0 < len(path) <= MAX_CHARS or not path.isascii() or " " in path:
        return False
    for _ in range(_DECODINGS):
        if not _looks_own(path):
            return False
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return True
        path = decoded
    return False


def _looks_own(path: str) -> bool:
    """One slash and then no other, nothing that a browser drops or turns into a slash."""
    if not path.startswith("/") or path[1:2] in ("/", "\\") or "\\" in path:
        return False
    if any(character < " " or character == "\x7f" for character in path):
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc
