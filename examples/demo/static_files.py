"""The files that pages load: named with a hash of what is in them, so that a browser asks for each version once.

Under that name they may be kept for good (RFC 8246); under the bare name a browser asks each time.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

__all__ = ["PATHS", "address_of", "static_file"]

_KINDS: Final = {
    "/app.css": "text/css; charset=utf-8",
    "/app.js": "text/javascript; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}
PATHS: Final = frozenset(_KINDS)
"""Where the files are."""


def address_of(path: str) -> str:
    """The file's address, version included."""
    return f"{path}?v={_version(path)}"


def static_file(event: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request for one of them."""
    path = event["rawPath"]
    known = event.get("rawQueryString") == f"v={_version(path)}"
    headers = {"Content-Type": _KINDS[path], "Cache-Control": "public, max-age=31536000, immutable" if known else "no-cache"}
    return {"statusCode": 200, "headers": headers, "body": _text(path)}


@cache
def _text(path: str) -> str:
    return files(__package__).joinpath("static", path.removeprefix("/")).read_text(encoding="utf-8")


def _version(path: str) -> str:
    return sha256(_text(path).encode()).hexdigest()[:12]
