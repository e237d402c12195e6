"""The start: what this is and three ways in; for who is signed in, what there is to see."""

from typing import Final

from cognito_session import Session
from examples.demo.components import notice
from examples.demo.layout import Answer, page
from examples.demo.markup import Html, html, joined

__all__ = ["home"]

_DONE: Final = {
    "out": "You are signed out. Cognito has been told as well.",
    "password": "Your password is a new one. Sign in with it.",
}
_STRANGER: Final = Html("""<p class="lead">This small site keeps you signed in the way it should be: one cookie that no script
can read, one row in DynamoDB that can be ended at any time, and tokens that are refreshed before you notice.</p>
<p class="actions"><a class="button" href="/login">Sign in with managed login</a>
<a class="button quiet" href="/sign-in">Sign in on this site</a>
<a class="button quiet" href="/sign-up">Sign up</a></p>
""")
_TO_TRY: Final = (
    ("Watch a token grow old", "Access tokens live for seconds here. The profile shows one being refreshed while you look."),
    ("Use two browsers", "Sign in with another one, or a private window, and sign it out from the devices page."),
    (
        "Look behind the pages",
        "Each page shows what it cost: an ordinary one is a single read from DynamoDB, and nothing else.",
    ),
)
_FOR_ME: Final = (
    ("/profile", "Profile", "Who you are to Cognito, your token's life, and a colour that this session remembers."),
    ("/devices", "Devices", "Where you are signed in. End one of these sessions, or all."),
    ("/editors", "Editors", "A page for members of one group. Others are told why they may not."),
    ("/transfer", "Transfer", "Something that matters: it asks for your password again when your sign-in is a minute old."),
)
_ITEM: Final = '<li class="card"><h3>{title}</h3><p>{text}</p></li>'
_LINKED: Final = '<li class="card link"><h3><a href="{path}">{title}</a></h3><p>{text}</p></li>'


def home(me: Session | None, done: str | None) -> Answer:
    """The start for whoever it is; `done` is a word of ours, and any other word is nothing."""
    told = notice(_DONE.get(done or ""))
    if me is None:
        tries = joined(html(_ITEM, title=title, text=text) for title, text in _TO_TRY)
        body = joined([told, _STRANGER, html('<h2>What to try</h2>\n<ul class="cards">{tries}</ul>', tries=tries)])
        return page("Sign in once, stay signed in", body, me=None, here="/", title="Start")
    links = joined(html(_LINKED, path=path, title=title, text=text) for path, title, text in _FOR_ME)
    lead = html('<p class="lead">You are signed in. Nothing about you is in this browser but one sealed cookie.</p>')
    body = joined([told, lead, html('<h2 class="unseen">What there is</h2>\n<ul class="cards two">{links}</ul>', links=links)])
    return page(f"Hello, {me.username}", body, me=me, here="/", title="Start")
