"""Canary: what people typed, Cognito's Session texts and tokens, in success and in trouble, show in no log, repr or error."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from cognito_session.core.errors import SessionError
from cognito_session.drivers.sync import run
from cognito_session.signin.challenge import find_challenge
from cognito_session.signin.outcome import Prompt
from cognito_session.signin.pool_context import PoolContext
from cognito_session.signin.step import Visitor
from managed.scene import Reports, ring, session_rows
from signin.counter import CHALLENGE, SESSION, Counter, Watching
from support.stack import make_app

OLD, NEW = "Canary-Password-1!", "Canary-Password-2!"


class Journey(Counter):
    """A counter that writes down whatever a program could print."""

    def __init__(self, app, **keywords):
        self.said: list[str] = []
        self.reports = Reports()
        super().__init__(app, on_event=self.reports, **keywords)
        self.pool = Watching(self.manager.ports.user_pool)
        self.manager.ports = self.manager.ports._replace(user_pool=self.pool)
        self.pool.secrets |= {OLD, NEW, ring(1).partition(".")[2]} | ({app.pool.client_secret} - {None})

    def do(self, operation, *arguments, **keywords):
        try:
            outcome = super().do(operation, *arguments, **keywords)
        except SessionError as error:
            self.said += [*traceback.format_exception(error), repr(error), repr(error.args), str(error.public_body())]
            return error
        self.said += [repr(outcome), str(outcome), f"{outcome}"]
        if isinstance(getattr(outcome, "prompt", None), Prompt):
            prompt = outcome.prompt
            self.pool.secrets |= {prompt.secret, prompt.otpauth_uri, prompt.credential_request} - {None}
            self.said += [repr(prompt)]
        self.pool.secrets |= set(self.jar.values())
        return outcome

    def with_trouble(self, operation, work):
        """The same thing refused by the network in each way, and then done."""
        for fault in ("throttle", "error500", "drop_before", "drop_after"):
            self.app.stack.fault(operation, fault)
            work()
        self.app.stack.clear_faults()
        return work()


def travel(app, asynchronous):
    """Every operation, right and wrong, with Cognito failing in between."""
    at = Journey(app, asynchronous=asynchronous)
    stack, name = app.stack, f"canary-{app.table}"
    at.with_trouble("SignUp", lambda: at.do("register", name, OLD, attributes={"email": "a@b.example"}))
    at.do("register", name, "short")
    at.do("confirm", name, "999999")
    at.do("confirm", name, "123456")
    at.do("forgot_password", name)
    code = stack.outbox(name)[-1].code
    at.do("confirm_forgot_password", name, "999999", NEW)
    at.with_trouble("ConfirmForgotPassword", lambda: at.do("confirm_forgot_password", name, code, NEW))
    at.sign_in(name, OLD)
    at.with_trouble("InitiateAuth", lambda: at.sign_in(name, NEW))
    me = at.manager.resolve(at.cookies) if not asynchronous else Counter(app).manager.resolve(at.cookies)
    me = me.session
    secret = at.do("begin_totp", me)
    at.pool.secrets |= {secret.secret, secret.otpauth_uri}
    at.do("confirm_totp", me, "999999")
    at.do("confirm_totp", me, stack.totp(secret.secret))
    at.do("change_password", me, OLD, NEW)
    at.do("change_password", me, NEW, OLD)
    stack.advance(1)
    challenge = at.sign_in(name, OLD)
    assert challenge.name == "SOFTWARE_TOKEN_MFA"
    at.do("answer", f"{CHALLENGE}={at.jar[CHALLENGE][:-3]}", "123456")
    at.answer("999999")
    found = run(find_challenge(at.manager.context, at.cookies), at.manager.ports)
    visitor = Visitor(name, name, at.cookies, answered=found)
    at.said += [
        repr(found),
        repr(visitor),
        repr(PoolContext(at.manager.context, at.pool._pool, "Shop")),
        repr(at.flows),
        repr(at.manager),
    ]
    at.with_trouble("RespondToAuthChallenge", lambda: at.answer(stack.totp(secret.secret)))
    user = app.user(email="b@b.example")
    at.start(user.username, preferred="EMAIL_OTP")
    at.answer(stack.outbox(user.username)[-1].code)
    at.start(user.username, preferred="WEB_AUTHN")
    at.answer(json.dumps({"id": "canary-credential", "response": {}}))
    fresh = stack.create_user(app.pool, f"{name}-temp", temporary_password=OLD)
    at.sign_in(fresh.username, OLD)
    at.answer("short")
    at.answer(NEW)
    at.said += [repr(report) for report in at.reports]
    return at


@pytest.mark.parametrize("both", [False, True], ids=["public client, sync", "confidential client, async"])
def test_nothing_secret_is_said(stack, caplog, both):
    """Logs at DEBUG, reports, every outcome and error with its causes: no password, code, Session, secret, cookie or token."""
    caplog.set_level(logging.DEBUG)
    at = travel(make_app(stack, sort_key="sid", client_secret=both, mfa="OPTIONAL"), both)
    assert SESSION in at.jar
    kinds = {operation for operation, _ in at.pool.payloads}
    assert {"SignUp", "ConfirmSignUp", "ConfirmForgotPassword", "ChangePassword", "RespondToAuthChallenge"} <= kinds
    secrets = {secret for secret in at.pool.secrets if len(secret) > 3}
    assert len(secrets) > 30
    logged = [record.getMessage() + str(record.exc_text) + str(record.args) for record in caplog.records]
    assert {secret for secret in secrets for text in [*at.said, *logged] if secret in text} == set()
    assert {secret for secret in secrets if secret in str(at.lines)}, "the search finds what is there"
    rows = str(session_rows(at.app))
    assert {secret for secret in secrets if len(secret) > 8 and secret in rows} == set()


def test_no_session_text_reaches_the_browser(stack):
    """What the browser holds of a challenge opens with our keys alone: Cognito's Session is nowhere in its cookies."""
    at = Journey(make_app(stack, mfa="ON"))
    prompt = at.challenged("MFA_SETUP", at.sign_in(at.app.user().username))
    sessions = {payload["Session"] for _, payload in at.pool.payloads if "Session" in payload}
    assert len(sessions) == 1
    shown = " ".join([*at.lines, str(tuple(prompt))])
    assert not any(session[:24] in shown for session in sessions)
    assert prompt.secret not in " ".join(at.lines)
