r"""Where to go after a sign-in or sign-out: a path of our own site, whatever the request says.

The path is spelled as a browser sends it: "/søk" is "/s%C3%B8k". An address that a browser could read as another site's, now or
after decoding, is not repaired but replaced by the default: `//evil`, `/\evil`, `https:evil`, control characters, and the
same in percent-encoding, however often (OWASP Unvalidated Redirects; WHATWG URL, which treats backslashes as slashes and
drops tabs and line ends).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cognito_session.core.errors import ConfigurationError
from cognito_session.http.url_escaping import MAX_RETURN_TO_CHARS, as_browsers_spell

if TYPE_CHECKING:
    from cognito_session.http.request import Request

__all__ = ["own_path", "safe_return_to", "wanted_return_to"]

_DECODINGS: Final = 5
_PARAMETERS: Final = ("return_to", "next")
"""Names of the query parameter: ours, then the one that Django, Flask-Login and Starlette send."""


def wanted_return_to(request: Request, origin: str) -> str | None:
    """Where the request asks to go after a sign-in, unchecked; None where it does not say, or says several things.

    `next` may be a whole address of this site, as Starlette's `requires` sends it: its path counts, the scheme does not,
    since a proxy may have ended TLS. `origin`: this site's.
    """
    for name in _PARAMETERS:
        values = request.parameters(name)
        if values:
            return _path_of(values[0], origin) if len(values) == 1 else None
    return None


def safe_return_to(wanted: object, default: str = "/") -> str:
    """`wanted` as a browser spells it, where it is a path of this site with at most 2,048 characters; else `default`."""
    if not isinstance(wanted, str) or len(wanted) > MAX_RETURN_TO_CHARS:
        return default
    path = as_browsers_spell(wanted)
    return path if _is_own(path) else default


def own_path(path: str, setting: str) -> str:
    """`path`, as a setting. Raises ConfigurationError for what is no plain path of this site."""
    if not _is_own(path):
        raise ConfigurationError(
            f"{setting}: expected a path of your site like /login, of at most {MAX_RETURN_TO_CHARS} characters"
        )
    return path


def _path_of(wanted: str, origin: str) -> str:
    host = origin.partition("://")[2]
    for scheme in ("https", "http"):
        prefix = f"{scheme}://{host}"
        if wanted.startswith(f"{prefix}/"):
            return wanted[len(prefix) :]
    return wanted


def _is_own(path: str) -> bool:
    if not 0 < len(path) <= MAX_RETURN_TO_CHARS or not path.isascii() or " " in path:
        return False
    for _ in range(_DECODINGS):
        if not _looks_own(path):
            return False
        decoded = _normalized(unquote(path, errors="replace"))
        if decoded == path:
            return True
        path = decoded
    return False


def _looks_own(path: str) -> bool:
    """One slash and then no other, nothing that a browser drops or turns into a slash."""
    if not path.startswith("/") or path[1:2] in ("/", "\\") or "\\" in path:
        return False
    return not any(character < " " or character == "\x7f" for character in path)


def _normalized(path: str) -> str:
    """As a proxy reads it that normalizes what it has decoded: the wide forms of `/`, `%` and the backslash become plain."""
    if path.isascii():
        return path
    import unicodedata

    return unicodedata.normalize("NFKC", path)
