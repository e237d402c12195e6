"""Sign-ins against the fake pool, as applications do them: by their own form, with a second factor, by managed login."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest

from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import CodeGrant, GrantRefused, PoolRefusal
from cognito_session.testing.pool_operations import CODE
from cognito_session.testing.pool_state import PASSWORD


@pytest.fixture
def call(cognito, sessions):
    """Calls an operation through the attached manager's port."""
    cognito.attach(sessions)

    def call(operation, **payload):
        return sessions.ports.user_pool.call(operation, {"ClientId": sessions.ports.user_pool.client_id, **payload})

    return call


def with_password(call, username, password=PASSWORD):
    parameters = {"USERNAME": username, "PASSWORD": password}
    return call("InitiateAuth", AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters)


def responded(call, challenge, username, **responses):
    name, session = challenge["ChallengeName"], challenge["Session"]
    given = {"USERNAME": username, **responses}
    return call("RespondToAuthChallenge", ChallengeName=name, Session=session, ChallengeResponses=given)


def test_a_password_begins_a_session(cognito, call, sessions):
    """The pool's AuthenticationResult is what establish() takes."""
    cognito.user("alice", password="Another-one-2", groups=["staff"])
    me = sessions.establish(with_password(call, "alice", "Another-one-2"))
    assert (me.username, me.groups) == ("alice", ("staff",))
    assert [each.operation for each in cognito.calls if each.service == "cognito"] == ["InitiateAuth"]


def test_wrong_password_and_unknown_user_are_one_refusal(cognito, call):
    """As with PreventUserExistenceErrors."""
    cognito.user("alice")
    wrong, unknown = with_password(call, "alice", "wrong"), with_password(call, "nobody")
    assert wrong == unknown == PoolRefusal("NotAuthorizedException", "Incorrect username or password.")
    assert cognito.calls[-1].ending == "refused"


def test_who_may_not_sign_in(cognito, call):
    """Disabled users and users who have not confirmed are told apart by Cognito's codes."""
    cognito.user("alice")
    cognito.disable("alice")
    cognito.user("bob", confirmed=False)
    assert with_password(call, "alice").message == "User is disabled."
    assert with_password(call, "bob").code == "UserNotConfirmedException"


@pytest.mark.parametrize(
    ("mfa", "answer"),
    [("SOFTWARE_TOKEN_MFA", "SOFTWARE_TOKEN_MFA_CODE"), ("EMAIL_OTP", "EMAIL_OTP_CODE"), ("SMS_MFA", "SMS_MFA_CODE")],
)
def test_a_second_factor(cognito, call, mfa, answer):
    """A wrong code can be corrected, the correct one signs in, and its challenge is used up."""
    cognito.user("alice", mfa=mfa)
    challenge = with_password(call, "alice")
    assert "AuthenticationResult" not in challenge
    assert responded(call, challenge, "alice", **{answer: "000000"}).code == "CodeMismatchException"
    assert "AccessToken" in responded(call, challenge, "alice", **{answer: CODE})["AuthenticationResult"]
    assert responded(call, challenge, "alice", **{answer: CODE}).code == "NotAuthorizedException"


def test_a_challenge_is_its_users(cognito, call):
    """A challenge cannot be answered by another user, or as another kind of challenge."""
    cognito.user("alice", mfa="EMAIL_OTP")
    challenge = with_password(call, "alice")
    assert responded(call, challenge, "bob", EMAIL_OTP_CODE=CODE).code == "NotAuthorizedException"
    other = {**challenge, "ChallengeName": "SMS_MFA"}
    assert responded(call, other, "alice", SMS_MFA_CODE=CODE).code == "NotAuthorizedException"


def test_a_new_password_is_required(cognito, call):
    """The first sign-in of an invited user sets the password that counts from then on."""
    cognito.user("alice", password="Temporary-1", must_change_password=True)
    challenge = with_password(call, "alice", "Temporary-1")
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert responded(call, challenge, "alice", NEW_PASSWORD="short").code == "InvalidPasswordException"
    assert "AuthenticationResult" in responded(call, challenge, "alice", NEW_PASSWORD="Brand-new-1")
    assert with_password(call, "alice", "Temporary-1").code == "NotAuthorizedException"
    assert "AuthenticationResult" in with_password(call, "alice", "Brand-new-1")


def test_sign_up_and_forgotten_password(call):
    """Register, confirm, sign in; forget, confirm, sign in with the new one; a wrong code changes nothing."""
    attributes = [{"Name": "email", "Value": "dora@example.org"}]
    made = call("SignUp", Username="dora", Password="First-one-1", UserAttributes=attributes)
    assert (made["UserConfirmed"], len(made["UserSub"])) == (False, 36)
    assert call("SignUp", Username="dora", Password="First-one-1").code == "UsernameExistsException"
    assert call("SignUp", Username="eve", Password="short").code == "InvalidPasswordException"
    assert call("ResendConfirmationCode", Username="dora")["CodeDeliveryDetails"]["DeliveryMedium"] == "EMAIL"
    assert call("ConfirmSignUp", Username="dora", ConfirmationCode="000000").code == "CodeMismatchException"
    assert with_password(call, "dora", "First-one-1").code == "UserNotConfirmedException"
    assert call("ConfirmSignUp", Username="dora", ConfirmationCode=CODE) == {}
    tokens = with_password(call, "dora", "First-one-1")["AuthenticationResult"]
    assert "CodeDeliveryDetails" in call("ForgotPassword", Username="dora")
    wrong = call("ConfirmForgotPassword", Username="dora", ConfirmationCode="000000", Password="Second-one-2")
    assert wrong.code == "CodeMismatchException"
    assert call("ConfirmForgotPassword", Username="dora", ConfirmationCode=CODE, Password="Second-one-2") == {}
    change = {"AccessToken": tokens["AccessToken"], "ProposedPassword": "Third-one-3"}
    assert call("ChangePassword", PreviousPassword="First-one-1", **change).code == "NotAuthorizedException"
    assert call("ChangePassword", PreviousPassword="Second-one-2", **change) == {}
    assert "AuthenticationResult" in with_password(call, "dora", "Third-one-3")


def test_the_access_token_must_be_alive(cognito, call):
    """ChangePassword is refused with an expired token, a signed-out one, and an invented one."""
    cognito.user("alice")
    change = {"PreviousPassword": PASSWORD, "ProposedPassword": "Third-one-3"}
    token = cognito.tokens("alice")["AccessToken"]
    assert call("ChangePassword", AccessToken="x.y.z", **change).code == "NotAuthorizedException"
    cognito.expire()
    assert call("ChangePassword", AccessToken=token, **change).code == "NotAuthorizedException"
    token = cognito.tokens("alice")["AccessToken"]
    cognito.sign_out_everywhere("alice")
    assert call("ChangePassword", AccessToken=token, **change).code == "NotAuthorizedException"


def test_an_outage_in_the_middle(cognito, call):
    """Faults of Cognito affect these calls too."""
    cognito.user("alice")
    cognito.throttle("cognito", times=1)
    with pytest.raises(ProviderUnavailable):
        with_password(call, "alice")
    assert "AuthenticationResult" in with_password(call, "alice")


def test_what_the_pool_does_not_know_is_said_loudly(call):
    """Unsupported operations and flows raise instead of succeeding silently."""
    with pytest.raises(NotImplementedError, match="ListDevices"):
        call("ListDevices")
    with pytest.raises(NotImplementedError, match="USER_SRP_AUTH"):
        call("InitiateAuth", AuthFlow="USER_SRP_AUTH")


# --- the library's own password flows


def test_password_flows_with_a_second_factor(cognito, sessions):
    """A wrong password, the right one, a code, and a session whose cookie the browser keeps."""
    cognito.attach(sessions)
    cognito.user("alice", groups=["staff"], mfa="EMAIL_OTP")
    flows = sessions.password_flows()
    assert flows.sign_in("alice", "wrong").reason == flows.sign_in("nobody", PASSWORD).reason == "wrong_credentials"
    step = flows.sign_in("alice", PASSWORD)
    cognito.keep(step)
    assert (step.name, step.prompt.medium) == ("EMAIL_OTP", "EMAIL")
    cognito.keep(flows.answer(cognito.cookie_header, "000000"))
    established = flows.answer(cognito.cookie_header, CODE)
    assert established.session.groups == ("staff",)
    cognito.keep(established)
    assert [pair.partition("=")[0] for pair in cognito.cookie_header.split("; ")] == ["__Host-session"]
    handler = sessions.protect(lambda event, context, me: {"statusCode": 200, "body": me.username})
    assert handler(cognito.event("http-v2"), cognito.context)["body"] == "alice"


def test_password_flows_from_sign_up_on(cognito, async_sessions):
    """Register, confirm and sign in by the asynchronous flows."""
    cognito.attach(async_sessions)
    flows = async_sessions.password_flows()

    async def journey():
        await flows.register("dora", "First-one-1", attributes={"email": "dora@example.org"})
        early = await flows.sign_in("dora", "First-one-1")
        await flows.confirm("dora", CODE)
        return early.reason, await flows.sign_in("dora", "First-one-1")

    early, established = asyncio.run(journey())
    assert (early, established.session.username) == ("not_confirmed", "dora")


# --- managed login


@pytest.fixture(params=["sync", "async"])
def login(request, cognito):
    """start(event) and callback(event) of an attached manager of either kind, as Lambda handlers."""
    manager = cognito.attach(request.getfixturevalue("sessions" if request.param == "sync" else "async_sessions"))
    made = manager.managed_login()
    if request.param == "sync":
        return made.start, made.callback
    return (lambda event: asyncio.run(made.start(event))), (lambda event: asyncio.run(made.callback(event)))


def location(answer):
    return answer["headers"]["Location"]


@pytest.mark.parametrize("form", ["http-v2", "rest", "alb", "alb-multi"])
def test_managed_login_from_start_to_session(cognito, login, form):
    """Start redirects, authorize comes back with a code, callback sets the session's cookie, and the next event carries it."""
    start, callback = login
    answer = start(cognito.event(form, path="/login?return_to=/orders", signed_in=False))
    cognito.keep(answer)
    back = cognito.authorize(where(answer, form), "bob", groups=["staff"])
    assert back.startswith("https://app.example/auth/callback?code=")
    answer = callback(cognito.event(form, path=back, signed_in=False))
    cognito.keep(answer)
    assert where(answer, form) == "/orders"
    assert [call.operation for call in cognito.calls if call.service == "cognito"] == ["/oauth2/token"]
    assert "__Host-session=" in cognito.cookie_header
    manager = cognito._attachments[0]
    outcome = manager.run(manager.manager.engine.resolve(cognito.cookie_header))
    assert (outcome.session.username, outcome.session.groups) == ("bob", ("staff",))


def where(answer, form):
    many = answer.get("multiValueHeaders") or {}
    return many["Location"][0] if form == "alb-multi" else answer["headers"]["Location"]


def test_cognito_comes_back_with_an_error(cognito, login):
    """error= lets the user refuse; the callback answers without a session."""
    start, callback = login
    answer = start(cognito.event("http-v2", path="/login", signed_in=False))
    cognito.keep(answer)
    back = cognito.authorize(location(answer), error="access_denied")
    assert "error=access_denied" in back
    cognito.keep(callback(cognito.event("http-v2", path=back, signed_in=False)))
    assert "__Host-session=" not in cognito.cookie_header


def test_a_code_is_bound_to_what_it_was_asked_for_with(cognito, login):
    """Another verifier, another address, too late, twice: invalid_grant. The port is the manager's."""
    start, _ = login
    address = location(start(cognito.event("http-v2", path="/login", signed_in=False)))
    server = cognito._attachments[0].manager.ports.authorization_server
    verifier = "v" * 43
    challenge = parse_qs(urlsplit(address).query)["code_challenge"][0]
    address = address.replace(challenge, challenge_of(verifier))

    def grant(**changes):
        code = parse_qs(urlsplit(cognito.authorize(address)).query)["code"][0]
        return CodeGrant(code, verifier, "https://app.example/auth/callback")._replace(**changes)

    assert server.exchange(grant(verifier="w" * 43)) == GrantRefused("invalid_grant")
    assert server.exchange(grant(redirect_uri="https://app.example/other")) == GrantRefused("invalid_grant")
    late = grant()
    cognito.advance(300)
    assert server.exchange(late) == GrantRefused("invalid_grant")
    good = grant()
    answer = server.exchange(good)
    assert set(answer) == {"access_token", "id_token", "refresh_token", "expires_in", "token_type"}
    assert server.exchange(good) == GrantRefused("invalid_grant")


def challenge_of(verifier):
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def test_addresses_that_cognito_would_refuse(cognito, login):
    """Another host, another client, no PKCE: an error that names what is wrong."""
    start, _ = login
    address = location(start(cognito.event("http-v2", path="/login", signed_in=False)))
    with pytest.raises(ValueError, match=r"https://sign-in\.example"):
        cognito.authorize(address.replace("sign-in.example", "evil.example"))
    with pytest.raises(ValueError, match="client_id"):
        cognito.authorize(address.replace("client_id=", "client_id=other"))
    with pytest.raises(ValueError, match="code_challenge"):
        cognito.authorize(address.replace("code_challenge=", "code_challenge_gone="))
