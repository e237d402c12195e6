"""Pages: renders a template of templates/ into a response of payload format 2.0.

Jinja escapes every value, and a name that a template misses is an error. `me` is the session, None without one, or UNKNOWN
where the session was not resolved; a page with UNKNOWN offers neither sign-in nor sign-out.
"""

from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cognito_session import Session
from cognito_session.signin import Refusal
from examples.demo.call_counts import counted
from examples.demo.refusal_messages import message_for
from examples.demo.static_files import address_of

__all__ = [
    "ACCENTS",
    "PANEL",
    "REFUSED",
    "UNKNOWN",
    "Response",
    "Unknown",
    "page",
    "refused",
    "render",
    "see_other",
    "with_query",
]

Response = dict[str, Any]

ACCENTS: Final = ("teal", "blue", "plum", "amber")
"""The colors that a user can choose."""
PANEL: Final = Markup("<!--panel-->")
"""Where the panel of calls goes. Text of a request cannot contain it, because Jinja escapes text."""
REFUSED: Final = frozenset({401, 403, 409, 500, 503})
"""The statuses of the library's refusals that have a page of this site."""


class Unknown(Enum):
    """The type of UNKNOWN."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


def page(
    template: str,
    *,
    me: Session | Unknown | None = UNKNOWN,
    here: str = "",
    status: int = 200,
    why: Refusal | None = None,
    **values: object,
) -> Response:
    """A page. `here` is its path in the navigation; `why` becomes the message `problem` unless `values` have one."""
    session = me if isinstance(me, Session) else None
    shared = {
        "me": session,
        "session": "unknown" if me is UNKNOWN else "on" if session else "off",
        "accent": _accent(session),
        "problem": message_for(why),
        "done": None,
    }
    body = render(template, **{**shared, **values}, here=here, status=status, why=why)
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Vary": "Cookie"}
    return {"statusCode": status, "headers": headers, "body": body}


def refused(status: int, me: Session | Unknown = UNKNOWN) -> Response:
    """The page of a status without details."""
    return page("refused.html", me=me, status=status)


def see_other(path: str, cookies: tuple[str, ...] = ()) -> Response:
    """303: the browser continues with GET (RFC 9110 15.4.4)."""
    headers = {"Location": path, "Cache-Control": "no-store", "Content-Type": "text/plain; charset=utf-8"}
    return {"statusCode": 303, "headers": headers, "body": "", "cookies": list(cookies)}


def with_query(path: str, **parameters: str) -> str:
    """The path with the parameters that are not empty."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def render(template: str, **values: object) -> str:
    """The text of a template. Raises jinja2.UndefinedError for a missing value."""
    return _TEMPLATES.get_template(template).render(values)


def _accent(me: Session | None) -> str:
    """The color in the session's data, if it is one of ACCENTS."""
    chosen = me.data.get("accent") if me else None
    return chosen if chosen in ACCENTS else ACCENTS[0]


def _utc(at: int, form: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(form)


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(address_of=address_of, with_query=with_query, accents=ACCENTS, panel_placeholder=PANEL)
_TEMPLATES.filters.update(counted=counted, utc=_utc)
