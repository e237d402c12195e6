"""The frame of every page: language, title, one heading, the way around, who is signed in, and a place for the panel.

Nothing is inline: style and script are files of ours, so that the content security policy can forbid all else. What the
script must know stands in data attributes. A page that was made without asking who is there (`me` is UNKNOWN) claims
neither.
"""

from enum import Enum
from typing import Any, Final

from cognito_session import Session
from examples.demo.journal import PANEL
from examples.demo.markup import Html, html, joined
from examples.demo.static_files import address_of

__all__ = ["ACCENTS", "UNKNOWN", "Answer", "Unknown", "page", "see_other"]

Answer = dict[str, Any]

ACCENTS: Final = ("teal", "blue", "plum", "amber")
"""The colours that one can choose."""


class Unknown(Enum):
    """Nobody asked who is there, or it could not be found out."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN

_NAVIGATION: Final = (
    ("/", "Home"),
    ("/profile", "Profile"),
    ("/devices", "Devices"),
    ("/editors", "Editors"),
    ("/transfer", "Transfer"),
)
_PAGE: Final = """<!doctype html>
<html lang="en" data-accent="{accent}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} - cognito-session demo</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{style}">
<script src="{script}" defer></script>
</head>
<body data-session="{session}" data-name="{name}">
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="bar">
<a class="brand" href="/"><svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><circle cx="12" cy="12" r="10"/>
<path d="M7 12.5l3.5 3.5L17 9"/></svg> cognito-session</a>
{navigation}{who}
</div></header>
<div id="alert" class="alert" role="alert"></div>
<div class="columns">
<main id="main" tabindex="-1">
<h1>{heading}</h1>
{body}
</main>
{panel}
</div>
<footer class="foot">
<p>A sample Lambda handler on an embedded Cognito and DynamoDB. Nothing here leaves this computer.</p>
</footer>
</body>
</html>
"""
_WHO: Final = """<div class="who"><span class="name">{username}</span>
<form method="post" action="/sign-out"><button class="quiet">Sign out</button></form></div>"""
_STRANGER: Final = Html('<div class="who"><a class="button quiet" href="/sign-in">Sign in</a></div>')


def page(
    heading: str,
    body: Html,
    *,
    me: Session | Unknown | None = UNKNOWN,
    here: str = "",
    status: int = 200,
    title: str | None = None,
) -> Answer:
    """An answer of payload format 2.0. `here` is the path that the page stands for; `title` the heading where none is given."""
    signed_in = isinstance(me, Session)
    text = html(
        _PAGE,
        icon=address_of("/icon.svg"),
        style=address_of("/app.css"),
        script=address_of("/app.js"),
        accent=_accent(me),
        title=title or heading,
        session="unknown" if me is UNKNOWN else "on" if signed_in else "off",
        name=me.username if isinstance(me, Session) else "",
        navigation=_navigation(here) if signed_in else None,
        who=_who(me, here),
        heading=heading,
        body=body,
        panel=PANEL,
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Vary": "Cookie"}
    return {"statusCode": status, "headers": headers, "body": text}


def see_other(path: str, cookies: tuple[str, ...] = ()) -> Answer:
    """303: go on with GET (RFC 9110 15.4.4)."""
    headers = {"Location": path, "Cache-Control": "no-store", "Content-Type": "text/plain; charset=utf-8"}
    return {"statusCode": 303, "headers": headers, "body": "", "cookies": list(cookies)}


def _who(me: Session | Unknown | None, here: str) -> Html | None:
    if isinstance(me, Session):
        return html(_WHO, username=me.username)
    return _STRANGER if me is None and here != "/sign-in" else None


def _navigation(here: str) -> Html:
    links = joined(
        html('<li><a href="{path}"{current}>{name}</a></li>', path=path, name=name, current=_current(here == path))
        for path, name in _NAVIGATION
    )
    return html('<nav aria-label="Main"><ul>{links}</ul></nav>', links=links)


def _current(is_here: bool) -> Html | None:
    return Html(' aria-current="page"') if is_here else None


def _accent(me: Session | Unknown | None) -> str:
    """The colour that the session's data names, where it is one of ours."""
    chosen = me.data.get("accent") if isinstance(me, Session) else None
    return chosen if chosen in ACCENTS else ACCENTS[0]
