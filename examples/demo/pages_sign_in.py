"""Pages on the way in: sign in, sign up, confirm, a forgotten password.

What was typed is shown again, passwords never. No page says whether a user name is known.
"""

from typing import Final

from cognito_session.signin.outcome import Refusal
from examples.demo.backstage import Person, mailbox, people_card
from examples.demo.components import card, field, form, hidden, notice
from examples.demo.form import with_query
from examples.demo.layout import Answer, page
from examples.demo.markup import Html, html, joined
from examples.demo.words import sentence

__all__ = ["confirm_page", "forgot_page", "reset_page", "sign_in_page", "sign_up_page"]

_DONE: Final = {
    "confirmed": "Your address is confirmed. You can sign in now.",
    "reset": "Your password is a new one, and all your sessions have ended. Sign in with it.",
    "reset-only": "Your password is a new one. Sign in with it, and look through your devices.",
}
_TERMS: Final = "At least 8 characters: upper and lower case, a digit and a symbol."


def sign_in_page(
    *, people: tuple[Person, ...], return_to: str, username: str = "", why: Refusal | None = None, done: str | None = None
) -> Answer:
    """The form, managed login beside it, and who can sign in here."""
    wrong = why is not None
    parts = [
        field("username", "User name", value=username, completion="username", wrong=wrong),
        field("password", "Password", kind="password", completion="current-password", most=256, wrong=wrong),
        hidden("return_to", return_to),
    ]
    beside = html(
        '<a href="{up}">Sign up</a> <a href="{forgot}">Forgot your password?</a>',
        up=with_query("/sign-up", username=username),
        forgot=with_query("/forgot", username=username),
    )
    told = None if return_to == "/" or wrong or done else html('<p class="lead">Please sign in to go on.</p>')
    body = joined(
        [
            notice(_DONE.get(done or "")),
            told,
            card("On this site", form("/sign-in", parts, "Sign in", wrong=sentence(why), beside=beside), name="here-title"),
            _managed(return_to),
            _without_password(return_to),
            people_card(people),
        ]
    )
    return page("Sign in", body, me=None, here="/sign-in", status=401 if wrong else 200, title=_titled("sign in", wrong=wrong))


def _managed(return_to: str) -> Html:
    text = html("<p>On Cognito's own pages; your password is never seen by this site.</p>")
    link = html(
        '<p class="actions"><a class="button quiet" href="{path}">Sign in with managed login</a></p>',
        path=with_query("/login", return_to=return_to),
    )
    return card("With managed login", text, link, name="managed-title")


def _without_password(return_to: str) -> Html:
    parts = [field("username", "User name", completion="username", at="choose-username"), hidden("return_to", return_to)]
    inner = form("/sign-in/choose", parts, "Choose a way")
    return html(
        '<details class="card"><summary>Without a password</summary>\n'
        "<p>Name yourself and choose how to prove it, such as a code by email.</p>\n{form}</details>",
        form=inner,
    )


def sign_up_page(*, username: str = "", email: str = "", why: Refusal | None = None) -> Answer:
    """A new user."""
    parts = [
        field("username", "User name", value=username, completion="username", wrong=why is Refusal.USERNAME_EXISTS),
        field("email", "Email address", kind="email", value=email, completion="email", most=256, hint="A made-up one will do."),
        field(
            *("password", "Password"),
            kind="password",
            completion="new-password",
            most=256,
            wrong=why is Refusal.INVALID_PASSWORD,
            hint=_TERMS,
        ),
    ]
    beside = html('<a href="/sign-in">I have an account</a>')
    shown = form("/sign-up", parts, "Sign up", wrong=sentence(why), beside=beside)
    managed = html('<p class="hint">Or <a href="/login/sign-up">sign up with managed login</a>.</p>')
    body = joined([card(None, shown, managed)])
    return page(
        "Sign up", body, me=None, here="/sign-up", status=400 if why else 200, title=_titled("sign up", wrong=bool(why))
    )


def confirm_page(*, username: str, code: str | None, why: Refusal | None = None, again: bool = False) -> Answer:
    """The code that proves the address; `code` is what the demo's mail says."""
    parts = [
        field("username", "User name", value=username, completion="username"),
        field("code", "Code", completion="one-time-code", most=12, wrong=bool(why)),
    ]
    resend = html(
        '<form method="post" action="/confirm/resend">{name}<button class="quiet">Send another code</button></form>',
        name=hidden("username", username),
    )
    told = notice("If there is somebody to send it to, another code is on its way." if again else None)
    shown = card(None, form("/confirm", parts, "Confirm", wrong=sentence(why)), resend)
    lead = html('<p class="lead">We have sent you a code, to see whether the address is yours.</p>')
    body = joined([told, lead, mailbox(code, username), shown])
    return page("Confirm your address", body, me=None, status=400 if why else 200, title=_titled("confirm", wrong=bool(why)))


def forgot_page(*, username: str = "") -> Answer:
    """Where one says whose password it is."""
    parts = [field("username", "User name", value=username, completion="username")]
    lead = html('<p class="lead">Tell us who you are, and we send you a code for a new one.</p>')
    body = joined([lead, card(None, form("/forgot", parts, "Send a code"))])
    return page("Forgotten password", body, me=None)


def reset_page(*, username: str, code: str | None, why: Refusal | None = None) -> Answer:
    """The code and a new password."""
    weak = why is Refusal.INVALID_PASSWORD
    parts = [
        field("username", "User name", value=username, completion="username"),
        field("code", "Code", completion="one-time-code", most=12, wrong=bool(why) and not weak),
        field("password", "New password", kind="password", completion="new-password", most=256, wrong=weak, hint=_TERMS),
    ]
    lead = html('<p class="lead">If there is an account of this name, a code is on its way to its address.</p>')
    shown = card(None, form("/reset", parts, "Set the password", wrong=sentence(why)))
    body = joined([lead, mailbox(code, username), shown])
    return page("New password", body, me=None, status=400 if why else 200, title=_titled("new password", wrong=bool(why)))


def _titled(what: str, *, wrong: bool) -> str:
    return f"Error: {what}" if wrong else what.capitalize()
