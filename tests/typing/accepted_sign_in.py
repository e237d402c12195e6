"""Programs of whoever lets people sign in: managed login, passwords and challenges."""

from __future__ import annotations

from typing import Any, assert_never

from cognito_session import AsyncSessionManager, Session, SessionManager
from cognito_session.signin import (
    ChallengeRequired,
    CodeSent,
    Done,
    Established,
    PasskeyOptions,
    PasswordChanged,
    PasswordReset,
    Refusal,
    Refused,
    TotpSecret,
)

sessions = SessionManager.from_env()
login = sessions.managed_login(base_url="https://app.example", scopes=["openid"], callback_path="/back", after_sign_out="/bye")
flows = sessions.password_flows(issuer="My app")


def routes(event: dict[str, Any]) -> list[Any]:
    """The three routes of managed login."""
    return [
        login.start(event, return_to="/orders", identity_provider="Google", language="de", login_hint="a@example.com"),
        login.callback(event),
        login.sign_out(event, where="everywhere", return_to="/"),
    ]


def sign_in(form: dict[str, str], header: str) -> tuple[str, tuple[str, ...]]:
    """Every outcome, and nothing else."""
    outcome = flows.sign_in(form.get("username"), form.get("password"), cookie_header=header, user_agent="x")
    match outcome:
        case Established(session=me):
            return me.username, outcome.set_cookies
        case ChallengeRequired(name=name, prompt=prompt):
            return name + (prompt.destination or "") + ",".join(prompt.choices), outcome.set_cookies
        case Refused(reason=Refusal.WRONG_CREDENTIALS):
            return "wrong", ()
        case Refused(reason=why, set_cookies=cookies):
            return why.value, cookies
        case _:
            assert_never(outcome)


def answer(form: dict[str, str], header: str) -> str:
    """Of a challenge."""
    waiting: ChallengeRequired | None = flows.pending(header)
    outcome = flows.answer(header, form.get("code"), challenge=waiting.name if waiting else None, attributes={"email": "x"})
    if isinstance(outcome, Refused):
        return outcome.reason
    if isinstance(outcome, ChallengeRequired):
        return outcome.name
    return outcome.session.sub


def register(form: dict[str, str]) -> str:
    """From sign-up to a forgotten password."""
    match flows.register(form.get("username"), form.get("password"), attributes={"email": form["email"]}):
        case CodeSent(destination=where):
            return where or ""
        case Done():
            return "confirmed"
        case Refused(reason=why):
            return why
    confirmed: Done | Refused = flows.confirm("alice", "123456")
    sent: list[CodeSent] = [flows.resend("alice"), flows.forgot_password(None)]
    changed: PasswordReset | Refused = flows.confirm_forgot_password("alice", "123456", "new")
    return f"{confirmed} {sent} {changed} {flows.start('alice', preferred='EMAIL_OTP')}"


def account(me: Session) -> str:
    """What a signed-in user does."""
    changed = flows.change_password(me, "old", "new", sign_out_others=False)
    if isinstance(changed, PasswordChanged) and changed.others_signed_out is not None:
        return str(changed.others_signed_out + 1)
    app: TotpSecret | Refused = flows.begin_totp(me, account_name="a@example.com")
    passkey: PasskeyOptions | Refused = flows.begin_passkey(me)
    print(passkey.credential_creation if isinstance(passkey, PasskeyOptions) else passkey.reason)
    print(flows.confirm_totp(me, "123456"), flows.complete_passkey(me, "{}"))
    return app.otpauth_uri if isinstance(app, TotpSecret) else app.reason


async def asynchronous(event: dict[str, Any]) -> str:
    """The same with coroutines."""
    manager = AsyncSessionManager.from_env()
    print(await manager.managed_login().start(event, prompt="login", sign_up=True))
    outcome = await manager.password_flows().sign_in("alice", "x")
    return outcome.session.sub if isinstance(outcome, Established) else ""
