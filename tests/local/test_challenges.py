"""Sign-in challenges over HTTP: each challenge, the Session that protects it, and the effect of a wrong answer."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import jwt
import pytest

from cognito_session.local.stack import CallRefusedError, LocalStack, Pool
from cognito_session.local.totp import totp_code
from support.srp import SrpClient

PASSWORD = "Password1!"
NEW = "Renewed1!"
INVALID = ("NotAuthorizedException", "Invalid session for the user.")
USED = ("NotAuthorizedException", "Invalid session for the user, session can only be used once.")
EXPIRED = ("NotAuthorizedException", "Invalid session for the user, session is expired.")
WRONG_CODE = ("CodeMismatchException", "Invalid code or auth state for the user.")
WRONG_PASSWORD = ("NotAuthorizedException", "Incorrect username or password.")


def said(answer):
    """The error code and message of a response, or the whole of a successful one."""
    body = answer.json()
    return (body["__type"], body["message"]) if answer.status_code >= 400 else body


@dataclass
class SignInClient:
    """A client that signs in at one app client."""

    app: object
    stack: LocalStack
    pool: Pool
    username: str = "alice"
    client_id: str = ""

    def start(self, flow="USER_PASSWORD_AUTH", **parameters):
        """InitiateAuth; by default with the right password."""
        password = {"PASSWORD": PASSWORD} if flow == "USER_PASSWORD_AUTH" else {}
        whole = {"USERNAME": self.username, **password, **self._hash(self.username), **parameters}
        asked = {"ClientId": self.pool.client_id, "AuthFlow": flow, "AuthParameters": whole}
        return said(self.app.cognito("InitiateAuth", asked))

    def answer(self, challenge, *, name=None, **responses):
        """RespondToAuthChallenge to an earlier response."""
        whole = {"USERNAME": self.username, **self._hash(responses.get("USERNAME", self.username)), **responses}
        asked = {
            "ClientId": self.client_id or self.pool.client_id,
            "ChallengeName": name or challenge["ChallengeName"],
            "Session": challenge["Session"],
            "ChallengeResponses": {name: value for name, value in whole.items() if value is not None},
        }
        return said(self.app.cognito("RespondToAuthChallenge", asked))

    def totp(self, operation, session, **more):
        """AssociateSoftwareToken or VerifySoftwareToken by session."""
        return said(self.app.cognito(operation, {"Session": session, **more}))

    def last_code(self, username="alice"):
        """The code that was sent last."""
        return self.stack.outbox(username)[-1].code

    def wrong_code(self):
        """Six digits that are not the code that was sent last."""
        return f"{(int(self.last_code()) + 1) % 1_000_000:06}"

    def _hash(self, username):
        value = self.pool.secret_hash(username)
        return {} if value is None else {"SECRET_HASH": value}


@pytest.fixture
def door(stack, app):
    """Creates a pool with alice in it and a client for it."""

    def made(*, factors=(), temporary=False, phone="+14155550123", **settings):
        pool = stack.create_pool(**settings)
        password = {"temporary_password": PASSWORD} if temporary else {"password": PASSWORD}
        stack.create_user(pool, "alice", **password, email="alice@example.com", phone=phone)
        if factors:
            stack.set_mfa(pool, "alice", *factors)
        return SignInClient(app, stack, pool)

    return made


def signed_in(answer):
    """The claims of the access token of a response that completes a sign-in; its refresh token works."""
    assert isinstance(answer, dict), answer
    result = answer["AuthenticationResult"]
    assert result["RefreshToken"].count(".") == 4  # one of the stack's own, not ministack's
    assert "Session" not in answer
    return jwt.decode(result["AccessToken"], options={"verify_signature": False})


# A way to each challenge: how the sign-in is set up, how it starts, and a right answer.
WAYS = {
    "NEW_PASSWORD_REQUIRED": ({"temporary": True}, {}, lambda d, c: {"NEW_PASSWORD": NEW}),
    "SMS_MFA": ({"mfa": "OPTIONAL", "factors": ["SMS_MFA"]}, {}, lambda d, c: {"SMS_MFA_CODE": d.last_code()}),
    "EMAIL_OTP": ({"mfa": "ON", "factors": ["EMAIL_OTP"]}, {}, lambda d, c: {"EMAIL_OTP_CODE": d.last_code()}),
    "SMS_OTP": (
        {},
        {"flow": "USER_AUTH", "PREFERRED_CHALLENGE": "SMS_OTP"},
        lambda d, c: {"SMS_OTP_CODE": d.last_code()},
    ),
    "PASSWORD": ({}, {"flow": "USER_AUTH", "PREFERRED_CHALLENGE": "PASSWORD"}, lambda d, c: {"PASSWORD": PASSWORD}),
    "SELECT_CHALLENGE": ({}, {"flow": "USER_AUTH"}, lambda d, c: {"ANSWER": "PASSWORD", "PASSWORD": PASSWORD}),
    "WEB_AUTHN": (
        {},
        {"flow": "USER_AUTH", "PREFERRED_CHALLENGE": "WEB_AUTHN"},
        lambda d, c: {"CREDENTIAL": credential(c)},
    ),
}


@pytest.fixture(params=WAYS)
def way(request, door):
    """Each challenge in turn: the client, the challenge, and its correct answer."""
    setup, start, right = WAYS[request.param]
    at = door(**setup)
    challenge = at.start(**start)
    assert challenge["ChallengeName"] == request.param
    return at, challenge, right(at, challenge)


def credential(challenge, signed=None):
    """What a browser sends for a passkey: AuthenticationResponseJSON, as text."""
    options = json.loads(challenge["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"])
    data = {"type": "webauthn.get", "challenge": signed or options["challenge"], "origin": "http://localhost"}
    text = base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")
    response = {"clientDataJSON": text, "authenticatorData": "AA", "signature": "AA"}
    return json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": response})


def test_a_right_answer_signs_in_once(way):
    """Each challenge ends in tokens of the user. Its session is opaque, of realistic size and works once."""
    at, challenge, right = way
    assert 300 <= len(challenge["Session"]) <= 800
    assert signed_in(at.answer(challenge, **right))["username"] == "alice"
    assert at.answer(challenge, **right) == USED


def test_a_session_expires(way):
    """A correct answer is refused after AuthSessionValidity (three minutes by default), and accepted just before."""
    at, challenge, right = way
    at.stack.advance(181)
    assert at.answer(challenge, **right) == EXPIRED


def test_a_session_lives_as_long_as_the_client_says(door):
    """AuthSessionValidity of ten minutes: a right answer after nine is in time."""
    at = door(temporary=True, auth_session_minutes=10)
    challenge = at.start()
    at.stack.advance(540)
    signed_in(at.answer(challenge, NEW_PASSWORD=NEW))


def test_a_session_is_of_one_client_user_and_challenge(way):
    """Another client, user or challenge name, an invented session or none is refused, and the session still works."""
    at, challenge, right = way
    at.stack.create_user(at.pool, "bob", PASSWORD)
    other = next(name for name in WAYS if name != challenge["ChallengeName"])
    everything = {**right, "NEW_PASSWORD": NEW, "ANSWER": "PASSWORD", "PASSWORD": PASSWORD, "SMS_MFA_CODE": "000000"}
    assert at.answer(challenge, **{**right, "USERNAME": "bob"}) == INVALID
    assert at.answer(challenge, **{**right, "USERNAME": "nobody"}) == INVALID
    assert at.answer(challenge, name=other, **everything) == INVALID
    assert at.answer({**challenge, "Session": "x" * 480}, **right) == INVALID
    assert at.answer({**challenge, "Session": ""}, **right)[0] == "InvalidParameterException"
    at.client_id = at.stack.create_client(at.pool).client_id
    assert at.answer(challenge, **right) == INVALID
    at.client_id = ""
    signed_in(at.answer(challenge, **right))


def test_an_answer_needs_its_parts(way):
    """A response without USERNAME or without the answer is refused and does not count."""
    at, challenge, right = way
    missing = at.answer(challenge, **{**right, "USERNAME": None})
    assert missing == ("InvalidParameterException", "Missing required parameter USERNAME")
    for _ in range(4):
        assert at.answer(challenge)[0] == "InvalidParameterException"
    signed_in(at.answer(challenge, **right))


def test_a_user_who_is_disabled_meanwhile_gets_nothing(way):
    """Disabled between challenge and answer: refused, although the answer is right."""
    at, challenge, right = way
    at.stack.disable_user(at.pool, "alice")
    assert at.answer(challenge, **right) == ("NotAuthorizedException", "User is disabled.")


def test_a_user_who_is_deleted_meanwhile_gets_nothing(way):
    """If the user is deleted and another one gets the name, the challenge is refused."""
    at, challenge, right = way
    at.stack.delete_user(at.pool, "alice")
    at.stack.create_user(at.pool, "alice", PASSWORD)
    assert at.answer(challenge, **right) == WRONG_PASSWORD


def test_of_many_answers_at_once_one_counts(door):
    """Of 16 simultaneous correct answers to one challenge, one signs in, and the others are refused as used."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA"])
    challenge = at.start()
    code = at.last_code()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: at.answer(challenge, SMS_MFA_CODE=code), range(16)))
    assert sum(isinstance(answer, dict) for answer in answers) == 1
    assert answers.count(USED) == 15


@pytest.mark.parametrize("name", ["SMS_MFA", "EMAIL_OTP", "SMS_OTP"])
def test_three_wrong_codes_end_a_session(door, name):
    """The session survives a CodeMismatchException up to three times; then the correct code is refused too."""
    setup, start, right = WAYS[name]
    at = door(**setup)
    challenge = at.start(**start)
    key = f"{name}_CODE"
    for _ in range(2):
        assert at.answer(challenge, **{key: at.wrong_code()}) == WRONG_CODE
    signed_in(at.answer(challenge, **right(at, challenge)))
    challenge = at.start(**start)
    for _ in range(3):
        assert at.answer(challenge, **{key: at.wrong_code()}) == WRONG_CODE
    assert at.answer(challenge, **right(at, challenge)) == INVALID


@pytest.mark.parametrize("name", ["PASSWORD", "SELECT_CHALLENGE"])
def test_three_wrong_passwords_end_a_session(door, name):
    """A wrong password in a challenge can be corrected, up to three attempts."""
    setup, start, right = WAYS[name]
    at = door(**setup)
    challenge = at.start(**start)
    for _ in range(3):
        assert at.answer(challenge, **{**right(at, challenge), "PASSWORD": "Wrong1!!"}) == WRONG_PASSWORD
    assert at.answer(challenge, **right(at, challenge)) == INVALID


def test_a_code_is_of_its_own_challenge(door):
    """Each challenge has its own six-digit code; the code of an earlier challenge is refused."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA"])
    first = at.start()
    earlier = at.last_code()
    assert re.fullmatch("[0-9]{6}", earlier)
    second = at.start()
    while at.last_code() == earlier:  # one in a million
        second = at.start()
    assert at.answer(second, SMS_MFA_CODE=earlier) == WRONG_CODE
    signed_in(at.answer(first, SMS_MFA_CODE=earlier))


def test_a_code_is_said_to_be_on_its_way(door):
    """The parameters name the medium and the masked address."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA"])
    parameters = at.start()["ChallengeParameters"]
    assert parameters == {
        "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS",
        "CODE_DELIVERY_DESTINATION": "+*******0123",
        "USER_ID_FOR_SRP": "alice",
    }


def test_a_new_password_must_fit_the_policy(door):
    """A weak password is an InvalidPasswordException any number of times, and the temporary password stays."""
    at = door(temporary=True)
    challenge = at.start()
    for _ in range(4):
        assert at.answer(challenge, NEW_PASSWORD="weak")[0] == "InvalidPasswordException"
    assert at.start()["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    signed_in(at.answer(challenge, NEW_PASSWORD=NEW))
    assert at.start() == WRONG_PASSWORD
    signed_in(at.start(PASSWORD=NEW))


def test_a_new_password_comes_with_attributes(door):
    """The challenge shows the user's attributes except sub; the answer can set others."""
    at = door(temporary=True)
    challenge = at.start()
    shown = json.loads(challenge["ChallengeParameters"]["userAttributes"])
    assert shown["email"] == "alice@example.com"
    assert "sub" not in shown
    signed_in(at.answer(challenge, NEW_PASSWORD=NEW, **{"userAttributes.name": "Alice"}))
    attributes = at.stack.cognito("AdminGetUser", UserPoolId=at.pool.user_pool_id, Username="alice")["UserAttributes"]
    assert {"Name": "name", "Value": "Alice"} in attributes


def test_a_second_factor_follows_a_new_password(door):
    """NEW_PASSWORD_REQUIRED and then SMS_MFA: two sessions, and tokens only after both."""
    at = door(temporary=True, mfa="OPTIONAL", factors=["SMS_MFA"])
    first = at.start()
    second = at.answer(first, NEW_PASSWORD=NEW)
    assert (first["ChallengeName"], second["ChallengeName"]) == ("NEW_PASSWORD_REQUIRED", "SMS_MFA")
    assert first["Session"] != second["Session"]
    assert "AuthenticationResult" not in second
    signed_in(at.answer(second, SMS_MFA_CODE=at.last_code()))


@pytest.mark.parametrize(("mfa", "asked"), [("OFF", False), ("OPTIONAL", True), ("ON", True)])
def test_the_pool_says_whether_a_factor_is_asked_for(door, mfa, asked):
    """A user with a second factor needs it unless the pool has MFA off."""
    at = door(mfa=mfa, factors=["SMS_MFA"])
    assert (at.start().get("ChallengeName") == "SMS_MFA") is asked


def test_an_optional_factor_that_nobody_has_is_not_asked_for(door):
    """OPTIONAL and no factor: tokens at once."""
    signed_in(door(mfa="OPTIONAL").start())


def test_an_authenticator_is_asked_for_its_code(door):
    """SOFTWARE_TOKEN_MFA accepts the current code and one step of drift, no older code, and none after three wrong ones."""
    at = door(mfa="OPTIONAL")
    secret = at.stack.enroll_totp(at.pool, "alice")
    challenge = at.start()
    assert challenge["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    old = at.stack.totp(secret)
    at.stack.advance(90)
    mismatch = ("CodeMismatchException", "Invalid code received for user")
    assert at.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=old) == mismatch
    code = at.stack.totp(secret)
    at.stack.advance(30)
    signed_in(at.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=code))
    challenge = at.start()
    for _ in range(3):
        assert at.answer(challenge, SOFTWARE_TOKEN_MFA_CODE="abcdef") == mismatch
    assert at.answer(challenge, SOFTWARE_TOKEN_MFA_CODE=at.stack.totp(secret)) == INVALID


def test_totp_follows_the_standard():
    """The codes are the last six digits of the vectors of RFC 6238, Appendix B."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    vectors = {59: "94287082", 1111111109: "07081804", 1234567890: "89005924", 20000000000: "65353130"}
    assert {now: totp_code(secret, now) for now in vectors} == {now: code[-6:] for now, code in vectors.items()}


def test_who_has_several_factors_chooses(door):
    """SELECT_MFA_TYPE offers all factors, and the chosen one follows under a new session. Another answer does not count."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA", "EMAIL_OTP"])
    at.stack.enroll_totp(at.pool, "alice")
    at.stack.set_mfa(at.pool, "alice")
    challenge = at.start()
    assert challenge["ChallengeName"] == "SELECT_MFA_TYPE"
    offered = json.loads(challenge["ChallengeParameters"]["MFAS_CAN_CHOOSE"])
    assert sorted(offered) == ["EMAIL_OTP", "SMS_MFA", "SOFTWARE_TOKEN_MFA"]
    assert at.answer(challenge, ANSWER="WEB_AUTHN")[0] == "InvalidParameterException"
    chosen = at.answer(challenge, ANSWER="EMAIL_OTP")
    assert (chosen["ChallengeName"], at.stack.outbox("alice")[-1].medium) == ("EMAIL_OTP", "EMAIL")
    assert chosen["Session"] != challenge["Session"]
    assert at.answer(challenge, ANSWER="SMS_MFA") == USED
    signed_in(at.answer(chosen, EMAIL_OTP_CODE=at.last_code()))
    assert at.answer(at.start(), ANSWER="EMAIL_MFA")["ChallengeName"] == "EMAIL_OTP"


def test_a_preferred_factor_is_asked_for(door):
    """With a preference there is no choice; without one there is."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA", "EMAIL_OTP"])
    at.stack.set_mfa(at.pool, "alice", preferred="EMAIL_OTP")
    assert at.start()["ChallengeName"] == "EMAIL_OTP"
    at.stack.set_mfa(at.pool, "alice")
    assert at.start()["ChallengeName"] == "SELECT_MFA_TYPE"


def test_a_factor_needs_its_means(stack):
    """Without a phone, an email or an authenticator, its factor cannot be enabled."""
    pool = stack.create_pool(mfa="OPTIONAL")
    stack.create_user(pool, "bob", PASSWORD)
    for factor in ("SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA"):
        with pytest.raises(CallRefusedError, match="InvalidParameterException"):
            stack.set_mfa(pool, "bob", factor)


def test_users_set_their_own_factors(door, app):
    """SetUserMFAPreference by access token knows email too, can switch off, and shows in GetUser."""
    at = door(mfa="OPTIONAL")
    token = {"AccessToken": at.start()["AuthenticationResult"]["AccessToken"]}
    on = {"EmailMfaSettings": {"Enabled": True, "PreferredMfa": True}}
    assert app.cognito("SetUserMFAPreference", {**token, **on}).status_code == 200
    assert app.cognito("GetUser", token).json()["UserMFASettingList"] == ["EMAIL_OTP"]
    assert at.start()["ChallengeName"] == "EMAIL_OTP"
    off = {"EmailMfaSettings": {"Enabled": False}}
    assert app.cognito("SetUserMFAPreference", {**token, **off}).status_code == 200
    signed_in(at.start())
    assert said(app.cognito("SetUserMFAPreference", {"AccessToken": "x.y.z", **on}))[0] == "NotAuthorizedException"


def test_who_must_have_an_authenticator_sets_one_up(door):
    """MFA_SETUP, a secret, a correct code, the answer: each step uses the session of the previous step."""
    at = door(mfa="ON")
    challenge = at.start()
    assert challenge["ChallengeName"] == "MFA_SETUP"
    assert challenge["ChallengeParameters"] == {"MFAS_CAN_SETUP": '["SOFTWARE_TOKEN_MFA"]', "USER_ID_FOR_SRP": "alice"}
    associated = at.totp("AssociateSoftwareToken", challenge["Session"])
    code = at.stack.totp(associated["SecretCode"])
    verified = at.totp("VerifySoftwareToken", associated["Session"], UserCode=code)
    assert verified["Status"] == "SUCCESS"
    assert len({each["Session"] for each in (challenge, associated, verified)}) == 3
    signed_in(at.answer(verified, name="MFA_SETUP"))
    for step in (challenge, associated, verified):
        assert at.answer(step, name="MFA_SETUP") in (USED, INVALID)
    assert at.totp("AssociateSoftwareToken", challenge["Session"]) == USED
    assert at.totp("VerifySoftwareToken", associated["Session"], UserCode=code) == USED
    again = at.start()
    assert again["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    signed_in(at.answer(again, SOFTWARE_TOKEN_MFA_CODE=at.stack.totp(associated["SecretCode"])))


def test_no_step_of_the_setup_can_be_left_out(door):
    """Neither the challenge's own session nor that of an unverified secret answers MFA_SETUP or verifies a code."""
    at = door(mfa="ON")
    challenge = at.start()
    assert at.answer(challenge) == INVALID
    assert at.totp("VerifySoftwareToken", challenge["Session"], UserCode="000000") == INVALID
    associated = at.totp("AssociateSoftwareToken", challenge["Session"])
    assert at.answer(associated, name="MFA_SETUP") == INVALID
    assert at.start()["ChallengeName"] == "MFA_SETUP"


def test_the_setup_checks_the_code(door):
    """A wrong code is refused three times, then the session is over; sessions of other challenges set nothing up."""
    at = door(mfa="ON")
    associated = at.totp("AssociateSoftwareToken", at.start()["Session"])
    right = at.stack.totp(associated["SecretCode"])
    for _ in range(3):
        refused = at.totp("VerifySoftwareToken", associated["Session"], UserCode="abcdef")
        assert refused == ("EnableSoftwareTokenMFAException", "Code mismatch")
    assert at.totp("VerifySoftwareToken", associated["Session"], UserCode=right) == INVALID
    assert at.totp("AssociateSoftwareToken", "x" * 480) == INVALID
    at.stack.set_mfa(at.pool, "alice", "SMS_MFA")
    assert at.totp("AssociateSoftwareToken", at.start()["Session"]) == INVALID


def test_the_steps_of_the_setup_expire(door):
    """Each session of the setup lives for AuthSessionValidity of its own."""
    at = door(mfa="ON")
    challenge = at.start()
    at.stack.advance(170)
    associated = at.totp("AssociateSoftwareToken", challenge["Session"])
    at.stack.advance(170)
    code = at.stack.totp(associated["SecretCode"])
    verified = at.totp("VerifySoftwareToken", associated["Session"], UserCode=code)
    at.stack.advance(181)
    assert at.answer(verified, name="MFA_SETUP") == EXPIRED
    late = at.start()
    at.stack.advance(181)
    assert at.answer(late, SOFTWARE_TOKEN_MFA_CODE=at.stack.totp(associated["SecretCode"])) == EXPIRED


def test_an_authenticator_by_access_token_works_as_before(door, app):
    """With an access token both operations are those of a signed-in user."""
    at = door(mfa="OPTIONAL")
    token = {"AccessToken": at.start()["AuthenticationResult"]["AccessToken"]}
    secret = said(app.cognito("AssociateSoftwareToken", token))["SecretCode"]
    verified = said(app.cognito("VerifySoftwareToken", {**token, "UserCode": at.stack.totp(secret)}))
    assert verified["Status"] == "SUCCESS"
    assert at.start()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"


def test_a_user_chooses_how_to_begin(door):
    """USER_AUTH without a preference: SELECT_CHALLENGE with what the user has, and each choice leads on."""
    at = door()
    challenge = at.start("USER_AUTH")
    assert challenge["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"]
    for choice, medium in (("EMAIL_OTP", "EMAIL"), ("SMS_OTP", "SMS")):
        chosen = at.answer(at.start("USER_AUTH"), ANSWER=choice)
        assert chosen["ChallengeName"] == choice
        message = at.stack.outbox("alice")[-1]
        assert (message.medium, message.purpose) == (medium, "sign_in")
        signed_in(at.answer(chosen, **{f"{choice}_CODE": message.code}))
    chosen = at.answer(at.start("USER_AUTH"), ANSWER="WEB_AUTHN")
    signed_in(at.answer(chosen, CREDENTIAL=credential(chosen)))
    assert at.answer(challenge, ANSWER="CUSTOM_CHALLENGE")[0] == "InvalidParameterException"


def test_only_what_the_user_has_is_offered(door):
    """Without a phone there is no SMS_OTP, and a preference for it leads to the choice."""
    at = door(phone=None)
    challenge = at.start("USER_AUTH", PREFERRED_CHALLENGE="SMS_OTP")
    assert challenge["ChallengeName"] == "SELECT_CHALLENGE"
    assert challenge["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP", "EMAIL_OTP", "WEB_AUTHN"]
    assert at.answer(challenge, ANSWER="SMS_OTP")[0] == "InvalidParameterException"


def test_a_password_may_come_with_the_preference(door):
    """PREFERRED_CHALLENGE=PASSWORD with PASSWORD signs in immediately; a wrong password is refused."""
    at = door()
    signed_in(at.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD", PASSWORD=PASSWORD))
    assert at.start("USER_AUTH", PREFERRED_CHALLENGE="PASSWORD", PASSWORD="Wrong1!!") == WRONG_PASSWORD


@pytest.mark.parametrize(
    ("settings", "follows"),
    [
        ({"mfa": "OPTIONAL", "factors": ["SMS_MFA"]}, "SMS_MFA"),
        ({"mfa": "ON"}, "MFA_SETUP"),
        ({"temporary": True}, "NEW_PASSWORD_REQUIRED"),
    ],
)
def test_who_owes_more_begins_with_the_password(door, settings, follows):
    """A user with a second factor or a temporary password is offered only PASSWORD, and the other step follows."""
    at = door(**settings)
    challenge = at.start("USER_AUTH", PREFERRED_CHALLENGE="EMAIL_OTP")
    assert challenge["AvailableChallenges"] == ["PASSWORD", "PASSWORD_SRP"]
    assert at.answer(challenge, ANSWER="PASSWORD", PASSWORD=PASSWORD)["ChallengeName"] == follows


def test_user_auth_must_be_allowed(door):
    """A client without ALLOW_USER_AUTH refuses the flow."""
    assert door(user_auth=False).start("USER_AUTH")[0] == "InvalidParameterException"


def test_a_passkey_answers_its_own_challenge(door):
    """Another challenge, no JSON and no client data are refused; the options name the challenge and the site."""
    at = door()
    challenge = at.start("USER_AUTH", PREFERRED_CHALLENGE="WEB_AUTHN")
    options = json.loads(challenge["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"])
    assert (options["rpId"], len(options["challenge"])) == ("localhost", 43)
    assert at.answer(challenge, CREDENTIAL=credential(challenge, signed="A" * 43)) == WRONG_PASSWORD
    assert at.answer(challenge, CREDENTIAL="{") == WRONG_PASSWORD
    assert at.answer(challenge, CREDENTIAL='{"response": {"clientDataJSON": "%"}}') == WRONG_PASSWORD
    assert at.answer(challenge, CREDENTIAL=credential(challenge)) == INVALID


def test_an_unknown_user_is_answered_like_a_known_one(door):
    """An unknown user gets the same challenges with other values. Every answer is refused, and no code is sent."""
    at = door(phone=None)
    stranger = SignInClient(at.app, at.stack, at.pool, "nobody")

    def shape(answer):
        changing = {"Session": 0, "ChallengeParameters": sorted(answer["ChallengeParameters"])}
        return {**answer, **changing}

    for start in ({}, *({"PREFERRED_CHALLENGE": name} for name in ("EMAIL_OTP", "PASSWORD", "WEB_AUTHN", "SMS_OTP"))):
        assert shape(stranger.start("USER_AUTH", **start)) == shape(at.start("USER_AUTH", **start))
    for choice in ("EMAIL_OTP", "WEB_AUTHN"):
        theirs, ours = (each.answer(each.start("USER_AUTH"), ANSWER=choice) for each in (stranger, at))
        assert shape(theirs) == shape(ours)
    assert at.stack.outbox("nobody") == []

    challenge = stranger.start("USER_AUTH", PREFERRED_CHALLENGE="EMAIL_OTP")
    for _ in range(3):
        assert stranger.answer(challenge, EMAIL_OTP_CODE="000000") == WRONG_CODE
    assert stranger.answer(challenge, EMAIL_OTP_CODE="000000") == INVALID
    challenge = stranger.start("USER_AUTH")
    assert stranger.answer(challenge, ANSWER="PASSWORD", PASSWORD=PASSWORD) == WRONG_PASSWORD
    challenge = stranger.start("USER_AUTH", PREFERRED_CHALLENGE="WEB_AUTHN")
    for _ in range(3):
        assert stranger.answer(challenge, CREDENTIAL=credential(challenge)) == WRONG_PASSWORD
    assert stranger.start() == WRONG_PASSWORD


def test_an_unknown_user_may_be_told_of(door):
    """With PreventUserExistenceErrors off, an unknown user gets UserNotFoundException."""
    at = door(prevent_user_existence_errors=False)
    stranger = SignInClient(at.app, at.stack, at.pool, "nobody")
    assert stranger.start("USER_AUTH") == ("UserNotFoundException", "User does not exist.")
    assert stranger.start()[0] == "UserNotFoundException"


def test_a_user_who_may_not_sign_in_cannot_begin(stack, door):
    """Disabled and unconfirmed users are refused before any challenge."""
    at = door()
    stack.cognito("SignUp", ClientId=at.pool.client_id, Username="new", Password=PASSWORD)
    assert SignInClient(at.app, stack, at.pool, "new").start("USER_AUTH")[0] == "UserNotConfirmedException"
    stack.disable_user(at.pool, "alice")
    assert at.start("USER_AUTH") == ("NotAuthorizedException", "User is disabled.")


def test_a_confidential_client_proves_itself_at_each_step(door):
    """SECRET_HASH over the USERNAME sent is required and checked; a refusal does not count as an attempt."""
    at = door(client_secret=True, temporary=True)
    challenge = at.start()
    for _ in range(4):
        missing = at.answer(challenge, NEW_PASSWORD=NEW, SECRET_HASH=None)
        assert missing[0] == "NotAuthorizedException"
        assert "SECRET_HASH was not received" in missing[1]
        wrong = at.answer(challenge, NEW_PASSWORD=NEW, SECRET_HASH=at.pool.secret_hash("bob"))
        assert wrong == ("NotAuthorizedException", f"Unable to verify secret hash for client {at.pool.client_id}")
    signed_in(at.answer(challenge, NEW_PASSWORD=NEW))
    assert at.start("USER_AUTH", SECRET_HASH="x" * 44)[0] == "NotAuthorizedException"


def test_parts_of_another_type_are_no_request(app):
    """Text where a map belongs, and the other way round, is a SerializationException, not a crash."""
    for wrong in ({"ChallengeName": ["SMS_MFA"]}, {"ChallengeResponses": "x"}, {"Session": {}}, {"AuthParameters": []}):
        assert said(app.cognito("RespondToAuthChallenge", wrong))[0] == "SerializationException"


def test_a_proof_instead_of_a_password_leads_on_too(door):
    """USER_SRP_AUTH: a right proof is followed by the second factor, a wrong one by nothing."""
    at = door(mfa="OPTIONAL", factors=["SMS_MFA"])
    for password, right in ((PASSWORD, True), ("Wrong1!!", False)):
        client = SrpClient()
        challenge = {"Session": None, **at.start("USER_SRP_AUTH", SRP_A=client.public)}
        now = at.stack.clock.now()
        proof = client.proof(at.pool.user_pool_id, challenge["ChallengeParameters"], password, now)
        answer = at.answer(challenge, **proof)
        if right:
            assert answer["ChallengeName"] == "SMS_MFA"
            signed_in(at.answer(answer, SMS_MFA_CODE=at.last_code()))
        else:
            assert answer == WRONG_PASSWORD


def test_an_alias_may_answer_with_its_own_hash(stack, app):
    """In a pool with email as the user name, the alias answers as well as the name, each with its own SECRET_HASH."""
    pool_id = stack.cognito("CreateUserPool", PoolName="alias", UsernameAttributes=["email"])["UserPool"]["Id"]
    pool = stack.create_client(pool_id, client_secret=True)
    user = stack.create_user(pool, "alice@example.com", temporary_password=PASSWORD)
    at = SignInClient(app, stack, pool, "alice@example.com")
    challenge = at.start()
    assert challenge["ChallengeParameters"]["USER_ID_FOR_SRP"] == user.username
    assert at.answer(challenge, NEW_PASSWORD="weak", USERNAME=user.username)[0] == "InvalidPasswordException"
    assert signed_in(at.answer(challenge, NEW_PASSWORD=NEW))["username"] == user.username


def test_administrators_meet_the_same_challenges(stack):
    """AdminInitiateAuth and AdminRespondToAuthChallenge: same steps, and the pool must be the client's."""
    pool = stack.create_pool(mfa="OPTIONAL")
    stack.create_user(pool, "alice", PASSWORD, phone="+14155550123")
    stack.set_mfa(pool, "alice", "SMS_MFA")
    who = {"UserPoolId": pool.user_pool_id, "ClientId": pool.client_id}
    given = {"USERNAME": "alice", "PASSWORD": PASSWORD}
    challenge = stack.cognito("AdminInitiateAuth", **who, AuthFlow="ADMIN_USER_PASSWORD_AUTH", AuthParameters=given)
    responses = {"USERNAME": "alice", "SMS_MFA_CODE": stack.outbox("alice")[-1].code}
    asked = {"ChallengeName": "SMS_MFA", "Session": challenge["Session"], "ChallengeResponses": responses}
    other = stack.create_pool().user_pool_id
    with pytest.raises(CallRefusedError, match="ResourceNotFoundException"):
        stack.cognito("AdminRespondToAuthChallenge", **{**who, "UserPoolId": other}, **asked)
    assert "AuthenticationResult" in stack.cognito("AdminRespondToAuthChallenge", **who, **asked)


def test_a_user_has_one_kind_of_password(stack):
    """create_user needs either a password or a temporary one."""
    pool = stack.create_pool()
    for passwords in ({}, {"password": PASSWORD, "temporary_password": PASSWORD}):
        with pytest.raises(ValueError, match="one of them"):
            stack.create_user(pool, "bob", **passwords)
    stack.create_user(pool, "bob", temporary_password=PASSWORD)
    found = stack.cognito("AdminGetUser", UserPoolId=pool.user_pool_id, Username="bob")
    assert found["UserStatus"] == "FORCE_CHANGE_PASSWORD"


def test_a_reset_forgets_the_challenges(stack, door):
    """After a reset an old session is unknown."""
    at = door(temporary=True)
    challenge = at.start()
    stack.reset()
    pool = stack.create_pool()
    stack.create_user(pool, "alice", PASSWORD)
    assert SignInClient(at.app, stack, pool).answer(challenge, NEW_PASSWORD=NEW) == INVALID


@pytest.mark.parametrize(
    "operation", ["InitiateAuth", "RespondToAuthChallenge", "AssociateSoftwareToken", "VerifySoftwareToken", "SignUp"]
)
def test_every_step_can_be_throttled(stack, app, operation):
    """The faults reach each operation by its name, once."""
    stack.fault(operation, "throttle")
    assert said(app.cognito(operation, {}))[0] == "TooManyRequestsException"
    assert said(app.cognito(operation, {}))[0] != "TooManyRequestsException"
