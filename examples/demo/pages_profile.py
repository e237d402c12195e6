"""The profile: who one is to Cognito, the token's life, what this session remembers, and other ways to prove oneself.

All that the script shows anew is there without it, as it was when the page was made.
"""

from datetime import UTC, datetime
from typing import Final

from cognito_session import Session
from cognito_session.signin.outcome import Refusal, TotpSecret
from examples.demo.components import button_form, card, field, form, hidden, notice
from examples.demo.layout import ACCENTS, Answer, page
from examples.demo.markup import Html, html, joined
from examples.demo.pages_challenge import setup_steps
from examples.demo.words import sentence

__all__ = ["NOTE_CHARS", "instant", "password_page", "profile", "totp_page"]

NOTE_CHARS: Final = 200

_DONE: Final = {
    "saved": "Saved with this session.",
    "password": "Your password is a new one, and all your other sessions have ended.",
    "password-only": "Your password is a new one. Your other sessions may still be there: end them on the devices page.",
    "totp": "From now on your authenticator app is asked for at each sign-in.",
}
_WHO: Final = """<dl>
<dt>User name</dt><dd>{username}</dd>
<dt>Subject</dt><dd><code>{sub}</code></dd>
<dt>Groups</dt><dd>{groups}</dd>
<dt>Signed in</dt><dd>{signed_in}</dd>
<dt>Session ends</dt><dd>{ends}</dd>
</dl>
<div class="actions"><a class="button quiet" href="/password">Change the password</a>
{totp}</div>"""
_TOKEN: Final = """<div id="token-life" data-left="{left}" data-life="{life}">
<p class="life"><label for="life">Life left</label> <output id="left" for="life" aria-live="off">{left} s</output></p>
<progress id="life" max="{life}" value="{left}">{left} of {life} seconds</progress>
<dl>
<dt>Token</dt><dd><code id="token">{token}</code></dd>
<dt>Generation</dt><dd id="generation">{generation}</dd>
</dl>
<p class="hint">Cognito lets this token live for {life} seconds. When it is over, the next request brings another one,
for all that ask at the same time. <span data-without-script>Without scripts: reload the page to see it.</span></p>
<h3 class="unseen" id="log-title">What happened</h3>
<ol id="log" role="log" aria-labelledby="log-title"></ol>
</div>"""
_SWATCH: Final = """<label class="swatch" data-accent="{accent}"><input type="radio" name="accent" value="{accent}"{checked}>
{name}</label>
"""


def profile(me: Session, *, generation: int, done: str | None, wrong: bool = False) -> Answer:
    """The page for whoever is signed in."""
    cards = [_who(me), _token(me, generation), _preference(me, wrong=wrong)]
    body = joined([notice(_DONE.get(done or "")), *cards])
    return page("Profile", body, me=me, here="/profile", status=400 if wrong else 200)


def instant(at: int | None) -> Html:
    """An instant, in UTC."""
    if at is None:
        return html("not known")
    moment = datetime.fromtimestamp(at, UTC)
    return html(
        '<time datetime="{exact}">{shown} UTC</time>',
        exact=f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        shown=f"{moment:%d %b %Y, %H:%M:%S}",
    )


def _who(me: Session) -> Html:
    shown = html(
        _WHO,
        username=me.username,
        sub=me.sub,
        groups=", ".join(me.groups) or "none",
        signed_in=instant(me.auth_time),
        ends=instant(me.session_expires_at),
        totp=button_form("/authenticator/begin", "Set up an authenticator app"),
    )
    return card("Who you are", shown, name="who-title")


def _token(me: Session, generation: int) -> Html:
    life = me.token_expires_at - int(me.claims["iat"])
    left = max(0, me.token_expires_at - me.served_at)
    shown = html(_TOKEN, left=left, life=life, token=str(me.claims["jti"])[:8], generation=generation)
    return card("Access token", shown, name="token-title")


def _preference(me: Session, *, wrong: bool) -> Html:
    """A colour and a note, kept in the session's row."""
    chosen = me.data.get("accent") if me.data.get("accent") in ACCENTS else ACCENTS[0]
    swatches = joined(
        html(_SWATCH, accent=each, name=each.capitalize(), checked=Html(" checked") if each == chosen else None)
        for each in ACCENTS
    )
    colours = html('<fieldset class="swatches"><legend>Colour</legend>\n{each}</fieldset>', each=swatches)
    note = field("note", "Note", value=str(me.data.get("note") or ""), most=NOTE_CHARS, required=False, wrong=wrong)
    told = f"A colour of these, please, and a note of at most {NOTE_CHARS} characters." if wrong else None
    hint = html('<p class="hint">Kept in the session\'s row and gone with it.</p>')
    return card("What this session remembers", form("/profile", [colours, note], "Save", wrong=told), hint, name="data-title")


def password_page(me: Session, *, why: Refusal | None = None) -> Answer:
    """Change the password."""
    weak = why is Refusal.INVALID_PASSWORD
    old = field(
        *("previous", "Password until now"),
        kind="password",
        completion="current-password",
        most=256,
        wrong=bool(why) and not weak,
    )
    new = field(
        *("proposed", "New password"),
        kind="password",
        completion="new-password",
        most=256,
        wrong=weak,
        hint="At least 8 characters: upper and lower case, a digit and a symbol.",
    )
    wrong = "The password until now is another one." if why is Refusal.WRONG_CREDENTIALS else sentence(why)
    shown = form("/password", [old, new], "Change it", wrong=wrong, beside=html('<a href="/profile">Back to the profile</a>'))
    lead = html('<p class="lead">All your other sessions end with the old one.</p>')
    title = "Error: change the password" if why else None
    return page("Change the password", joined([lead, card(None, shown)]), me=me, status=400 if why else 200, title=title)


def totp_page(me: Session, offered: TotpSecret, *, box: Html | None, why: Refusal | None = None) -> Answer:
    """An authenticator app for the account."""
    digits = field("code", "Code", completion="one-time-code", most=12, wrong=bool(why))
    back = html('<a href="/profile">Back to the profile</a>')
    carried = [hidden("secret", offered.secret), hidden("uri", offered.otpauth_uri)]
    shown = form("/authenticator", [digits, *carried], "Take it into use", wrong=sentence(why), beside=back)
    body = joined([box, card(None, setup_steps(offered.secret, offered.otpauth_uri), shown)])
    title = "Error: authenticator app" if why else None
    return page("Set up an authenticator app", body, me=me, status=400 if why else 200, title=title)
