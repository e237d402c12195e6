"""The few plain pages that this package itself shows a person: one heading, one sentence, one link.

They hold nothing that came with the request; text and links are ours. No script, no style from elsewhere, nothing to load.
"""

from __future__ import annotations

from html import escape
from typing import Final

from cognito_session.core.security_headers import SECURITY_HEADERS
from cognito_session.http.response import Response

__all__ = ["page"]

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1.5rem}"
    "h1{font-size:1.6rem;line-height:1.2}"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{link}</main>
</body>
</html>
"""


def page(status: int, title: str, text: str, *, link: tuple[str, str] | None = None) -> Response:
    """A page with these words; `link` is an address and its text."""
    shown = f'<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>\n' if link else ""
    body = _PAGE.format(title=escape(title), text=escape(text), style=_STYLE, link=shown)
    return Response(status, _headers(), body)


def _headers() -> dict[str, str]:
    from base64 import b64encode
    from hashlib import sha256

    style = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return {
        **SECURITY_HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
    }
