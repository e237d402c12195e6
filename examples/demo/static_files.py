"""The files that pages load. Their address has a hash of their content, so a browser requests each version once.

With the current hash a response is immutable (RFC 8246). Without it a browser asks each time.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

__all__ = ["PATHS", "address_of", "static_file"]

_CONTENT_TYPES: Final = {
    "/app.css": "text/css; charset=utf-8",
    "/app.js": "text/javascript; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}
PATHS: Final = frozenset(_CONTENT_TYPES)
"""The paths of the files."""


def address_of(path: str) -> str:
    """The file's address with its version."""
    return f"{path}?v={_version(path)}"


def static_file(event: Mapping[str, Any]) -> dict[str, Any]:
    """The response to a request for one of the files."""
    path = event["rawPath"]
    is_current = event.get("rawQueryString") == f"v={_version(path)}"
    headers = {
        "Content-Type": _CONTENT_TYPES[path],
        "Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-cache",
    }
    return {"statusCode": 200, "headers": headers, "body": _text(path)}


@cache
def _text(path: str) -> str:
    return files(__package__).joinpath("static", path.removeprefix("/")).read_text(encoding="utf-8")


def _version(path: str) -> str:
    return sha256(_text(path).encode()).hexdigest()[:12]
