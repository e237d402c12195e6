"""Pages that say no, or not now: what happened, and what one can do about it."""

from typing import Final

from cognito_session import Session
from examples.demo.components import card
from examples.demo.layout import UNKNOWN, Answer, Unknown, page
from examples.demo.markup import Html, html

__all__ = ["KNOWN", "bad_form", "not_found", "not_this_way", "only_for_group", "refused", "stale_sign_in"]

KNOWN: Final = {
    401: ("Please sign in", "You are not signed in, or not any more. Nothing that you sent was kept.", ("/sign-in", "Sign in")),
    403: (
        "This came from another site",
        "Your browser says that this request was not sent from a page of ours, so nothing was done.",
        ("/", "Go to the start"),
    ),
    409: (
        "Changed meanwhile",
        "Another tab or device changed this at the same time. Nothing of yours was saved.",
        ("/profile", "Look again"),
    ),
    500: (
        "Not set up right",
        "This site is not set up right. Its operators find the reason in their log.",
        ("/", "Go to the start"),
    ),
    503: (
        "Please try again in a moment",
        "A service that we depend on did not answer. Nothing has changed: who was signed in still is.",
        ("/", "Go to the start"),
    ),
}
"""Title, sentence and way on of what the library refuses."""

_TEXT: Final = '<p class="lead">{text}</p>\n<p class="actions">{links}</p>'
_LINK: Final = '<a class="button{kind}" href="{path}">{name}</a>'


def refused(status: int) -> Answer:
    """The page for a refusal of the library's."""
    heading, text, (path, name) = KNOWN[status]
    return _plain(status, heading, text, _link(path, name))


def not_found() -> Answer:
    """404."""
    return _plain(404, "There is nothing here", "This address leads nowhere on this site.", _link("/", "Go to the start"))


def not_this_way() -> Answer:
    """405: the address is there, for another method."""
    text = "This address changes something. It is reached by a button, not by a link."
    answer = _plain(405, "Not this way", text, _link("/", "Go to the start"))
    return {**answer, "headers": {**answer["headers"], "Allow": "POST"}}


def bad_form(me: Session | Unknown = UNKNOWN) -> Answer:
    """400: fields are missing, or say what no page of ours would."""
    text = "What was sent is not what our form sends, so nothing was done."
    return _plain(400, "That was not our form", text, _link("/", "Go to the start"), me=me)


def only_for_group(me: Session, group: str, here: str) -> Answer:
    """403: the page is for the members of one group."""
    text = html(
        '<p class="lead">This page is for members of the group <code>{group}</code>. {username} is in {groups}.</p>',
        group=group,
        username=me.username,
        groups=html("the group <code>{each}</code>", each=", ".join(me.groups)) if me.groups else "no group",
    )
    hint = html('<p class="hint">A group is a claim of the access token: who is added to it gets in at the next refresh.</p>')
    ways = html(
        '<p class="actions">{ways}</p>',
        ways=[_link("/", "Go to the start"), _link("/step-up", "Use another account", " quiet")],
    )
    return page(f"For {group} only", html("{all}", all=[text, card(None, hint), ways]), me=me, here=here, status=403)


def stale_sign_in(me: Session, *, age_seconds: int | None, max_age_seconds: int, here: str, what: str) -> Answer:
    """403: the sign-in is too long ago for what is asked; the way to do it again, and back here."""
    when = "is too long ago" if age_seconds is None else f"was {age_seconds} seconds ago"
    text = html(
        '<p class="lead">Your sign-in {when}. {what} needs one of the last {most} seconds.</p>',
        when=when,
        most=max_age_seconds,
        what=what,
    )
    why = html("<p>A cookie can be left behind on a shared computer. Before what matters, we ask for your password again.</p>")
    again = _link(f"/step-up?return_to={here}", "Enter the password again")
    ways = html('<p class="actions">{ways}</p>', ways=[again, _link("/", "Not now", " quiet")])
    return page("Is it still you?", html("{all}", all=[text, card(None, why, ways)]), me=me, here=here, status=403)


def _plain(status: int, heading: str, text: str, link: Html, *, me: Session | Unknown = UNKNOWN) -> Answer:
    return page(heading, html(_TEXT, text=text, links=link), me=me, status=status)


def _link(path: str, name: str, kind: str = "") -> Html:
    return html(_LINK, path=path, name=name, kind=kind)
