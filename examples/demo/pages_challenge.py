"""The page of a challenge: one more thing that Cognito wants before it signs somebody in.

Which challenge it is stands in a sealed cookie; its name in the form only keeps two tabs apart.
"""

from typing import Final

from cognito_session.signin.outcome import ChallengeRequired, Prompt, Refusal
from examples.demo.backstage import authenticator, mailbox
from examples.demo.components import card, field, form, hidden, problem
from examples.demo.layout import Answer, page
from examples.demo.markup import Html, html, joined
from examples.demo.words import sentence

__all__ = ["challenge_page", "setup_steps"]

_HEADINGS: Final = {
    "SOFTWARE_TOKEN_MFA": "Code from your authenticator app",
    "EMAIL_OTP": "Code from your mail",
    "SMS_MFA": "Code from a text message",
    "SMS_OTP": "Code from a text message",
    "NEW_PASSWORD_REQUIRED": "Choose a new password",
    "PASSWORD": "Your password",
    "SELECT_CHALLENGE": "How do you want to sign in?",
    "SELECT_MFA_TYPE": "How do you want to prove it?",
    "MFA_SETUP": "Set up an authenticator app",
    "WEB_AUTHN": "Use your passkey",
}
_CHOICES: Final = {
    "PASSWORD": "With my password",
    "EMAIL_OTP": "With a code by email",
    "SMS_OTP": "With a code by text message",
    "SMS_MFA": "With a code by text message",
    "WEB_AUTHN": "With a passkey",
    "SOFTWARE_TOKEN_MFA": "With my authenticator app",
}
_CODES: Final = frozenset({"SOFTWARE_TOKEN_MFA", "EMAIL_OTP", "SMS_MFA", "SMS_OTP", "MFA_SETUP"})
_TERMS: Final = "At least 8 characters: upper and lower case, a digit and a symbol."
_SETUP: Final = """<ol class="steps">
<li>Open an authenticator app and add an account by its key: <code class="key" data-secret>{secret}</code></li>
<li>On a phone, <a href="{uri}">this link</a> does the same.</li>
<li>Type the six digits that it shows.</li>
</ol>"""


def challenge_page(
    asked: ChallengeRequired,
    *,
    username: str,
    return_to: str,
    mail: str | None = None,
    app_shows: str | None = None,
    why: Refusal | None = None,
) -> Answer:
    """The form for this challenge; `mail` and `app_shows` are what the demo knows of codes."""
    carried = [hidden("challenge", asked.name), hidden("username", username), hidden("return_to", return_to)]
    boxes = [mailbox(mail, username), authenticator(app_shows, username)]
    heading = _HEADINGS.get(asked.name, "One more step")
    inner = _inner(asked, carried, why)
    again = html('<p class="hint"><a href="/sign-in">Begin anew</a></p>')
    body = joined([_lead(asked.prompt), *boxes, card(None, inner, again)])
    return page(heading, body, me=None, status=400 if why else 200, title=f"Error: {heading}" if why else heading)


def setup_steps(secret: str, otpauth_uri: str) -> Html:
    """How an authenticator app is given its secret."""
    return html(_SETUP, secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)), uri=otpauth_uri)


def _inner(asked: ChallengeRequired, carried: list[Html], why: Refusal | None) -> Html:
    wrong, prompt = sentence(why), asked.prompt
    if asked.name in ("SELECT_CHALLENGE", "SELECT_MFA_TYPE"):
        return joined([problem(wrong), _choices(prompt, carried)])
    if asked.name == "WEB_AUTHN":
        return joined([problem(wrong), _passkey(prompt, carried)])
    if asked.name in _CODES:
        steps = setup_steps(prompt.secret, prompt.otpauth_uri) if prompt.secret and prompt.otpauth_uri else None
        digits = field("answer", "Code", completion="one-time-code", most=12, wrong=bool(why))
        return joined([steps, form("/challenge", [digits, *carried], "Go on", wrong=wrong)])
    new = asked.name == "NEW_PASSWORD_REQUIRED"
    password = field(
        *("answer", "New password" if new else "Password"),
        kind="password",
        completion="new-password" if new else "current-password",
        most=256,
        wrong=bool(why),
        hint=_TERMS if new else None,
    )
    more = [field(f"attribute.{name}", name.replace("_", " ").capitalize()) for name in prompt.required_attributes]
    return form("/challenge", [password, *more, *carried], "Go on", wrong=wrong)


def _choices(prompt: Prompt, carried: list[Html]) -> Html:
    """One button for each way."""
    buttons = joined(
        html('<button class="quiet" name="answer" value="{name}">{text}</button>', name=name, text=_CHOICES.get(name, name))
        for name in prompt.choices
    )
    template = '<form method="post" action="/challenge" class="choices">{carried}{buttons}</form>'
    return html(template, carried=joined(carried), buttons=buttons)


def _passkey(prompt: Prompt, carried: list[Html]) -> Html:
    """The script asks the browser for the passkey, and sends the form."""
    template = """<form method="post" action="/challenge" data-passkey="{request}">{carried}
<input type="hidden" name="answer" value="">
<p id="passkey-problem" role="alert"></p>
<p class="actions"><button type="button" disabled>Use the passkey</button></p></form>
<p class="hint" data-without-script>A passkey needs scripts, which this browser does not run.</p>
<p class="hint">The embedded Cognito checks no passkey's signature: this shows the way, and proves nothing.</p>"""
    return html(template, request=prompt.credential_request or "", carried=joined(carried))


def _lead(prompt: Prompt) -> Html | None:
    if prompt.destination is None:
        return None
    return html('<p class="lead">We have sent a code to {where}.</p>', where=prompt.destination)
