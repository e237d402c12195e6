"""Challenges: every second step of a sign-in, answered under a sealed cookie that is nobody else's and not for long."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from cognito_session import Active, ConfigurationError, SessionUnavailable
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.drivers.sync import run
from cognito_session.signin.challenge import CHALLENGE_SECONDS, Challenge, find_challenge, keep_challenge
from cognito_session.signin.outcome import ChallengeRequired, Prompt
from cognito_session.signin.pool_context import otpauth_uri
from managed.scene import by_hand, ring, session_rows
from signin.counter import CHALLENGE, SESSION, WRONG, Counter, Watching, refused
from support.stack import PASSWORD, App, make_app
from support.tokens import flipped

NEW = "Another-Password2!"
EXPIRED, WRONG_CODE = refused("challenge_expired"), refused("wrong_code")
BOTH = pytest.mark.parametrize("both", [False, True], ids=["public client, sync", "confidential client, async"])


def counter_at(stack, both=False, **pool):
    """A site whose user pool has these settings; `both`: a confidential client behind an asynchronous manager."""
    return Counter(make_app(stack, sort_key="sid", client_secret=both, **pool), asynchronous=both)


def sent(counter, user):
    """The code that was sent to this user last."""
    return counter.app.stack.outbox(user.username)[-1].code


def other_than(code):
    """A code that is not this one."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}}"


def watched(counter, kind=Watching):
    """Put a watcher before the user pool."""
    watching = kind(counter.manager.ports.user_pool)
    counter.manager.ports = counter.manager.ports._replace(user_pool=watching)
    return watching


def passkey_answer(request):
    """What a browser makes of CREDENTIAL_REQUEST_OPTIONS."""
    said = json.dumps({"type": "webauthn.get", "challenge": json.loads(request)["challenge"]}).encode()
    client = base64.urlsafe_b64encode(said).rstrip(b"=").decode()
    return json.dumps({"id": "passkey", "type": "public-key", "response": {"clientDataJSON": client, "signature": "c2ln"}})


# --- second factors


@pytest.fixture(params=["SMS_MFA", "EMAIL_OTP"])
def factor(request):
    """A second factor whose code is sent."""
    return request.param


@BOTH
def test_a_code_that_is_sent(stack, both, factor):
    """After the password a code goes to the phone or the mailbox; a wrong one may be corrected; the right one signs in."""
    counter = counter_at(stack, both, mfa="OPTIONAL")
    user = counter.app.user(email="anna@b.example", phone="+4915112345678")
    stack.set_mfa(counter.app.pool, user.username, factor, preferred=factor)
    prompt = counter.challenged(factor, counter.sign_in(user.username))
    assert prompt.medium == {"SMS_MFA": "SMS", "EMAIL_OTP": "EMAIL"}[factor]
    assert prompt.destination == {"SMS_MFA": "+*******5678", "EMAIL_OTP": "a***@b***"}[factor]
    counter.nobody()
    cookie = counter.jar[CHALLENGE]
    assert counter.answer(other_than(sent(counter, user))) == WRONG_CODE
    assert counter.jar == {CHALLENGE: cookie}
    assert counter.calls() == ["InitiateAuth", "RespondToAuthChallenge"]
    counter.nobody()
    counter.arrived(counter.answer(sent(counter, user), challenge=factor, user_agent="curl/8"), user)
    assert counter.calls() == ["RespondToAuthChallenge"]
    (row,) = session_rows(counter.app, user)
    assert row["device"] == "curl/8"


@BOTH
def test_an_authenticator_app(stack, both):
    """The app's code of now signs in, typed with a space; another one does not."""
    counter = counter_at(stack, both, mfa="OPTIONAL")
    user = counter.app.user()
    secret = stack.enroll_totp(counter.app.pool, user.username)
    counter.challenged("SOFTWARE_TOKEN_MFA", counter.sign_in(user.username))
    code = stack.totp(secret)
    assert counter.answer(other_than(code)) == WRONG_CODE
    counter.nobody()
    counter.arrived(counter.answer(f"{code[:3]} {code[3:]}"), user)


@BOTH
def test_a_choice_among_second_factors(stack, both):
    """Who has several and prefers none chooses; what was not offered is refused here; the choice is then asked for."""
    counter = counter_at(stack, both, mfa="OPTIONAL")
    user = counter.app.user(email="a@b.example", phone="+4915112345678")
    stack.set_mfa(counter.app.pool, user.username, "SMS_MFA", "EMAIL_OTP")
    prompt = counter.challenged("SELECT_MFA_TYPE", counter.sign_in(user.username))
    assert prompt.choices == ("SMS_MFA", "EMAIL_OTP")
    counter.calls()
    for odd in ("SOFTWARE_TOKEN_MFA", "PASSWORD", "", None, ["SMS_MFA"]):
        assert counter.answer(odd) == refused("invalid_input")
    assert counter.calls() == []
    counter.challenged("EMAIL_OTP", counter.answer("EMAIL_OTP"))
    counter.arrived(counter.answer(sent(counter, user)), user)


@BOTH
def test_setting_up_an_authenticator_app(stack, both):
    """A pool that requires a second factor: secret and URI are shown, also on a reload; the app's first code signs in; the
    next sign-in asks for it.
    """
    counter = counter_at(stack, both, mfa="ON")
    user = counter.app.user()
    prompt = counter.challenged("MFA_SETUP", counter.sign_in(user.username))
    address = urlsplit(prompt.otpauth_uri)
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", f"/Shop:{user.username}")
    assert parse_qs(address.query) == {"secret": [prompt.secret.rstrip("=")], "issuer": ["Shop"]}
    assert counter.pending().prompt == prompt
    assert counter.calls() == ["InitiateAuth", "AssociateSoftwareToken"]
    code = stack.totp(prompt.secret)
    assert counter.answer(other_than(code)) == WRONG_CODE
    assert counter.calls() == ["VerifySoftwareToken"]
    counter.nobody()
    counter.arrived(counter.answer(code), user)
    assert counter.calls() == ["VerifySoftwareToken", "RespondToAuthChallenge"]
    again = Counter(counter.app)
    again.challenged("SOFTWARE_TOKEN_MFA", again.sign_in(user.username))
    again.arrived(again.answer(stack.totp(prompt.secret)), user)


# --- a new password


@BOTH
def test_a_temporary_password(stack, both):
    """The first sign-in asks for a password of one's own; a weak one may be corrected; the temporary one is over then."""
    counter = counter_at(stack, both)
    user = stack.create_user(counter.app.pool, f"temp-{counter.app.table}", temporary_password=PASSWORD)
    assert counter.challenged("NEW_PASSWORD_REQUIRED", counter.sign_in(user.username)) == Prompt()
    assert counter.answer("short") == refused("invalid_password")
    counter.nobody()
    counter.arrived(counter.answer(NEW), user)
    again = Counter(counter.app)
    assert again.sign_in(user.username) == WRONG
    again.arrived(again.sign_in(user.username, NEW), user)


class Demanding(Watching):
    """A user pool that wants a name together with the new password."""

    def call(self, operation, payload):
        answer = super().call(operation, payload)
        if operation == "InitiateAuth":
            answer["ChallengeParameters"]["requiredAttributes"] = '["userAttributes.given_name"]'
        return answer


@BOTH
def test_required_attributes(stack, both):
    """They are named to the page, are missed here, and reach Cognito under the name it wants."""
    counter = counter_at(stack, both)
    watching = watched(counter, Demanding)
    user = stack.create_user(counter.app.pool, f"temp-{counter.app.table}", temporary_password=PASSWORD)
    assert counter.challenged("NEW_PASSWORD_REQUIRED", counter.sign_in(user.username)).required_attributes == ("given_name",)
    assert counter.pending().prompt.required_attributes == ("given_name",)
    for lacking in (None, {}, {"family_name": "B"}, {"given_name": 7}, ["given_name"]):
        assert counter.answer(NEW, attributes=lacking) == refused("invalid_input")
    assert len(watching.payloads) == 1
    counter.arrived(counter.answer(NEW, attributes={"given_name": "Änne"}), user)
    assert watching.payloads[-1][1]["ChallengeResponses"]["userAttributes.given_name"] == "Änne"


def test_several_steps_in_a_row(stack):
    """A temporary password in a pool that requires a second factor: new password, then set-up, then a session."""
    counter = counter_at(stack, mfa="ON")
    user = stack.create_user(counter.app.pool, f"temp-{counter.app.table}", temporary_password=PASSWORD)
    counter.challenged("NEW_PASSWORD_REQUIRED", counter.sign_in(user.username))
    prompt = counter.challenged("MFA_SETUP", counter.answer(NEW))
    counter.nobody()
    counter.arrived(counter.answer(stack.totp(prompt.secret)), user)


# --- choice-based sign-in


@pytest.fixture(params=[False, True], ids=["public client, sync", "confidential client, async"])
def choosing(stack, request):
    """A site with choice-based sign-in, and a user with every first factor."""
    counter = counter_at(stack, request.param)
    counter.user = counter.app.user(email="a@b.example", phone="+4915112345678")
    return counter


def test_the_choice(choosing):
    """A name alone brings the choice; only what was offered is taken for one."""
    prompt = choosing.challenged("SELECT_CHALLENGE", choosing.start(choosing.user.username))
    assert prompt.choices == ("PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN")
    choosing.calls()
    for odd in ("SMS_MFA", "CUSTOM_CHALLENGE", "", None, ["PASSWORD"], "x" * 100_000):
        assert choosing.answer(odd) == refused("invalid_input")
    assert choosing.calls() == []
    choosing.nobody()


@pytest.mark.parametrize("preferred", [True, False])
@pytest.mark.parametrize("choice", ["EMAIL_OTP", "SMS_OTP"])
def test_a_code_instead_of_a_password(choosing, choice, preferred):
    """Chosen or preferred, the code that is sent signs in; a wrong one may be corrected."""
    name = choosing.user.username
    if preferred:
        choosing.challenged(choice, choosing.start(name, preferred=choice))
    else:
        choosing.start(name)
        choosing.challenged(choice, choosing.answer(choice))
    code = sent(choosing, choosing.user)
    assert choosing.answer(other_than(code)) == WRONG_CODE
    choosing.nobody()
    choosing.arrived(choosing.answer(code), choosing.user)


@pytest.mark.parametrize("preferred", [True, False])
def test_a_passkey(choosing, preferred):
    """The request is passed to the page as it came, the browser's answer to Cognito as it came; another's is refused."""
    name = choosing.user.username
    watching = watched(choosing)
    if preferred:
        prompt = choosing.challenged("WEB_AUTHN", choosing.start(name, preferred="WEB_AUTHN"))
    else:
        choosing.start(name)
        prompt = choosing.challenged("WEB_AUTHN", choosing.answer("WEB_AUTHN"))
    assert json.loads(prompt.credential_request)["rpId"] == "localhost"
    assert choosing.pending().prompt == prompt
    calls = len(watching.payloads)
    for odd in (None, "", "{", "[]", '"text"', {"id": "x"}, "{" + " " * 100_000 + "}", "[" * 9_000):
        assert choosing.answer(odd) == refused("invalid_input")
    assert len(watching.payloads) == calls
    assert choosing.answer(passkey_answer('{"challenge": "another"}')) == WRONG
    choosing.nobody()
    credential = passkey_answer(prompt.credential_request)
    choosing.arrived(choosing.answer(credential), choosing.user)
    assert watching.payloads[-1][1]["ChallengeResponses"]["CREDENTIAL"] == credential


@pytest.mark.parametrize("preferred", [True, False])
def test_a_password_by_choice(choosing, preferred):
    """Chosen or preferred, the password is asked for here, goes to Cognito with the choice, and may be corrected."""
    name = choosing.user.username
    if preferred:
        choosing.challenged("PASSWORD", choosing.start(name, preferred="PASSWORD"))
    else:
        choosing.start(name)
        choosing.challenged("PASSWORD", choosing.answer("PASSWORD"))
    assert choosing.calls() == ["InitiateAuth"]
    assert choosing.pending().name == "PASSWORD"
    for odd in ("x" * 257, "", None, ["a"]):
        assert choosing.answer(odd) == WRONG
    assert choosing.calls() == []
    assert choosing.answer("wrong") == WRONG
    choosing.nobody()
    choosing.arrived(choosing.answer(PASSWORD), choosing.user)


def test_a_preference_that_the_user_lacks(stack):
    """Who has no phone is asked to choose among what there is."""
    counter = counter_at(stack)
    user = counter.app.user(email="a@b.example")
    prompt = counter.challenged("SELECT_CHALLENGE", counter.start(user.username, preferred="SMS_OTP"))
    assert "SMS_OTP" not in prompt.choices


def test_an_unknown_user_who_chooses(stack):
    """Where the app client hides who exists, an unknown user is asked and then told that the code is wrong; no session."""
    counter = counter_at(stack)
    prompt = counter.challenged("EMAIL_OTP", counter.start("nobody-at-all", preferred="EMAIL_OTP"))
    assert prompt.destination
    assert counter.answer("123456") == WRONG_CODE
    counter.nobody()
    open_about_it = counter_at(stack, prevent_user_existence_errors=False)
    assert open_about_it.start("nobody-at-all") == WRONG


def test_a_client_without_choice_says_so(stack):
    """USER_AUTH not allowed: a ConfigurationError that names it."""
    counter = counter_at(stack, user_auth=False)
    with pytest.raises(ConfigurationError, match="ALLOW_USER_AUTH"):
        counter.start("alice")


# --- names: aliases and SECRET_HASH


def test_an_alias_is_answered_under_the_users_own_name(stack):
    """Signed in by email to a confidential client: the answer's USERNAME is USER_ID_FOR_SRP, SECRET_HASH is over it, and the
    authenticator app shows the email.
    """
    made = stack.cognito("CreateUserPool", PoolName="aliases", UsernameAttributes=["email"])["UserPool"]["Id"]
    stack.cognito(
        "SetUserPoolMfaConfig", UserPoolId=made, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    pool = stack.create_client(made, client_secret=True, access_token_seconds=600)
    app = App(stack, pool, stack.create_table("aliases", sort_key="sid"), "sub", "sid")
    user = stack.create_user(pool, "anna@b.example", PASSWORD, email="anna@b.example")
    assert user.username != "anna@b.example"
    counter = Counter(app)
    watching = watched(counter)
    prompt = counter.challenged("MFA_SETUP", counter.sign_in("anna@b.example"))
    assert "Shop:anna%40b.example?" in prompt.otpauth_uri
    counter.arrived(counter.answer(stack.totp(prompt.secret)), user)
    first, last = watching.payloads[0][1]["AuthParameters"], watching.payloads[-1][1]["ChallengeResponses"]
    assert (first["USERNAME"], first["SECRET_HASH"]) == ("anna@b.example", pool.secret_hash("anna@b.example"))
    assert (last["USERNAME"], last["SECRET_HASH"]) == (user.username, pool.secret_hash(user.username))


# --- the cookie


@pytest.fixture
def waiting(stack):
    """A user who is asked for a code by email, in a pool that waits 15 minutes for it."""
    counter = counter_at(stack, mfa="OPTIONAL", auth_session_minutes=15)
    counter.user = counter.app.user(email="a@b.example", phone="+4915112345678")
    stack.set_mfa(counter.app.pool, counter.user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    counter.challenged("EMAIL_OTP", counter.sign_in(counter.user.username))
    counter.code = sent(counter, counter.user)
    counter.calls()
    return counter


def test_the_cookies_attributes(waiting):
    """HttpOnly, Secure, SameSite=Lax, Path=/, no Domain, 15 minutes; removed with the same when the session begins."""
    (line,) = waiting.lines
    assert line.startswith(f"{CHALLENGE}=v1.1.")
    assert line.endswith("; Max-Age=900; Path=/; HttpOnly; Secure; SameSite=Lax")
    waiting.arrived(waiting.answer(waiting.code), waiting.user)
    assert waiting.lines[-1] == f"{CHALLENGE}=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax"
    assert waiting.lines[-2].startswith(f"{SESSION}=")


def test_the_name_follows_the_sessions(stack):
    """Two managers on one host do not meet; a session's cookie without the prefix still has a challenge's with it."""
    app = make_app(stack)
    counters = [Counter(app, cookie_name=name) for name in ("__Host-admin", "plain")]
    for counter in counters:
        counter.start(app.user(email="a@b.example").username)
    assert [list(counter.jar) for counter in counters] == [["__Host-admin-challenge"], ["__Host-plain-challenge"]]


def test_a_page_that_is_loaded_again(waiting):
    """The challenge that waits is told without any call, by whichever worker has the keys; none where there is none."""
    for counter in (waiting, Counter(waiting.app, asynchronous=True)):
        counter.jar = waiting.jar
        again = counter.pending()
        assert again == ChallengeRequired("EMAIL_OTP", Prompt(destination="a***@b***", medium="EMAIL"))
    waiting.jar = {}
    assert waiting.pending() is None
    assert waiting.calls() == []


def unusable(waiting, kind):
    """A Cookie header whose challenge nobody may answer."""
    value, name = waiting.jar[CHALLENGE], CHALLENGE
    match kind:
        case "missing":
            return ""
        case "another name":
            return f"{CHALLENGE}s={value}"
        case "empty":
            return f"{name}="
        case "garbage":
            return f"{name}=v1.1.{'A' * 400}"
        case "altered":
            return f"{name}={flipped(value, len(value) // 2)}"
        case "cut":
            return f"{name}={value[:-4]}"
        case "of a retired key":
            return f"{name}={value.replace('v1.1.', 'v1.0.')}"
        case "huge":
            return f"{name}={'A' * 70_000}"
        case "two of them":
            twin = Counter(waiting.app)
            twin.sign_in(waiting.user.username)
            return f"{name}={value}; {name}={twin.jar[name]}"
        case "a session's":
            guest = Counter(waiting.app)
            user = waiting.app.user()
            guest.sign_in(user.username)
            return f"{name}={guest.jar[SESSION]}"
    stranger = {
        "another client's": lambda: Counter(make_app(waiting.app.stack, mfa="OPTIONAL")),
        "another manager's": lambda: Counter(waiting.app, cookie_name="__Host-admin"),
        "another keyring's": lambda: Counter(waiting.app, session_keys=ring(1, of="x")),
    }[kind]()
    user = stranger.app.user(email="a@b.example")
    stranger.start(user.username, preferred="EMAIL_OTP")
    return f"{name}={next(iter(stranger.jar.values()))}"


@pytest.mark.parametrize(
    "kind",
    [
        *("missing", "another name", "empty", "garbage", "altered", "cut", "of a retired key", "huge", "two of them"),
        *("a session's", "another client's", "another manager's", "another keyring's"),
    ],
)
def test_a_cookie_that_is_not_ours_asks_nobody(waiting, kind):
    """Missing, forged, foreign or ambiguous: challenge_expired, no call, no session; and no cookie is touched."""
    header = unusable(waiting, kind)
    waiting.calls()
    assert waiting.do("answer", header, waiting.code) == EXPIRED
    assert waiting.do("pending", header) is None
    assert waiting.calls() == []
    waiting.arrived(waiting.answer(waiting.code), waiting.user)


def test_a_cookie_beside_rubbish_of_its_name(waiting):
    """A forged one beside ours does not take it away: the only one that opens counts."""
    header = f"{CHALLENGE}=v1.1.{'A' * 400}; {waiting.cookies}; {CHALLENGE}=x"
    waiting.keep(waiting.do("answer", header, waiting.code))
    assert SESSION in waiting.jar


def test_a_cookie_of_a_newer_key_is_an_outage(waiting):
    """Another worker has newer keys: neither accepted nor refused here."""
    newer = Counter(waiting.app, session_keys=ring(2, 1))
    newer.start(waiting.user.username)
    with pytest.raises(SessionUnavailable):
        waiting.do("answer", newer.cookies, "PASSWORD")


def test_the_time_is_in_the_seal(waiting):
    """15 minutes: the last second is in time, the next one is not, whatever the browser still sends; then no call."""
    case, clock = waiting.manager.context, by_hand(waiting.app)
    challenge = run(find_challenge(case, waiting.cookies), waiting.manager.ports)
    assert 0 <= case.now() + CHALLENGE_SECONDS - challenge.expires_at < 60
    waiting.manager.context = case._replace(clock=clock)
    clock.advance(challenge.expires_at - 1 - clock.now())
    assert waiting.pending() is not None
    clock.advance(1)
    assert waiting.pending() is None
    assert waiting.answer(waiting.code) == EXPIRED
    assert waiting.calls() == []


def test_cognitos_own_time(stack):
    """Where Cognito waits a shorter time, its word counts: challenge_expired, and nothing begun."""
    counter = counter_at(stack, mfa="OPTIONAL")
    user = counter.app.user(email="a@b.example")
    stack.set_mfa(counter.app.pool, user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    counter.sign_in(user.username)
    stack.advance(3 * 60 + 1)
    assert counter.answer(sent(counter, user)) == EXPIRED
    counter.nobody()


def test_a_challenge_brings_one_session(waiting):
    """The same cookie and code again, from this browser or another: challenge_expired; the one session is untouched."""
    stolen = Counter(waiting.app)
    stolen.jar = dict(waiting.jar)
    me = waiting.arrived(waiting.answer(waiting.code), waiting.user)
    for _ in range(2):
        assert stolen.answer(waiting.code) == EXPIRED
    assert SESSION not in stolen.jar
    (row,) = session_rows(waiting.app, waiting.user)
    assert row["sid"] == me.sid
    assert isinstance(waiting.manager.resolve(waiting.cookies), Active)


def test_too_many_wrong_codes(waiting):
    """Cognito ends a challenge that is guessed at; even the right code comes too late then."""
    for _ in range(3):
        assert waiting.answer(other_than(waiting.code)) == WRONG_CODE
    assert waiting.answer(waiting.code) == EXPIRED
    waiting.nobody()


def test_two_tabs(waiting):
    """The later sign-in of a browser is what counts: the earlier tab's code is wrong for it, and its form, naming its
    challenge, is refused without a call; the later tab goes on.
    """
    later = waiting.app.user(phone="+4915112345678")
    waiting.challenged("SMS_OTP", waiting.start(later.username, preferred="SMS_OTP"))
    code = sent(waiting, later)
    waiting.calls()
    assert waiting.answer(waiting.code, challenge="EMAIL_OTP") == EXPIRED
    assert waiting.calls() == []
    assert waiting.answer(waiting.code if waiting.code != code else other_than(code)) == WRONG_CODE
    waiting.arrived(waiting.answer(code, challenge="SMS_OTP"), later)


def test_a_sign_in_that_needs_no_second_step_clears_the_first_ones(waiting):
    """A challenge that was left unanswered goes when the browser signs in otherwise."""
    user = waiting.app.user()
    waiting.arrived(waiting.sign_in(user.username), user)


def test_the_session_that_came_along_is_ended_at_the_end(waiting):
    """While the challenge waits the old session serves; when it is answered, the old one is over (no fixation)."""
    waiting.sign_in((guest := waiting.app.user()).username)
    old = f"{SESSION}={waiting.jar[SESSION]}"
    waiting.challenged("EMAIL_OTP", waiting.sign_in(waiting.user.username))
    assert isinstance(waiting.manager.resolve(old), Active)
    waiting.arrived(waiting.answer(sent(waiting, waiting.user)), waiting.user)
    assert not isinstance(waiting.manager.resolve(old), Active)
    assert session_rows(waiting.app, guest)[0]["state"] == "ended"


@pytest.mark.parametrize("odd", [None, "", [], ["1"], 7, "12345x", "1234567890", "x" * 100_000, "\ud800"])
def test_what_cannot_be_a_code_never_leaves(waiting, odd):
    """Missing, repeated and oversized fields: wrong_code, no call, the challenge goes on."""
    assert waiting.answer(odd) == WRONG_CODE
    assert waiting.calls() == []
    waiting.arrived(waiting.answer(waiting.code), waiting.user)


# --- without keys, and how much fits


def test_without_keys_a_challenge_says_so(stack):
    """No SESSION_KEYS: passwords sign in, and what would need a second step names the setting; nothing is called for."""
    app = make_app(stack, mfa="OPTIONAL")
    counter = Counter(app, cookie="token", cookie_name=SESSION, session_keys=None)
    user = app.user(email="a@b.example")
    stack.clear_calls()
    for attempt in (lambda: counter.start(user.username), lambda: counter.answer("123456"), counter.pending):
        with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
            attempt()
    assert counter.calls() == []
    counter.arrived(counter.sign_in(user.username), user)
    stack.set_mfa(app.pool, user.username, "EMAIL_OTP", preferred="EMAIL_OTP")
    with pytest.raises(ConfigurationError, match="SESSION_KEYS"):
        Counter(app, cookie="token", cookie_name=SESSION, session_keys=None).sign_in(user.username)


def kept(counter, **fields):
    """The Set-Cookie value of such a challenge."""
    challenge = Challenge("WEB_AUTHN", "WEB_AUTHN", "u" * 128, "ü" * 128, "s" * 1000, counter.manager.context.now() + 60)
    return run(keep_challenge(counter.manager.context, challenge._replace(**fields)), counter.manager.ports)


def test_the_longest_session_fits(waiting):
    """2,048 characters of Session with the longest names stay under 4,096 bytes, and come back as they were."""
    session = "s" * 2048
    line = kept(waiting, session=session, username="\U00010348" * 128, account="u" * 128)
    assert len(line.partition(";")[0]) <= 4097
    waiting.jar = {CHALLENGE: line.partition(";")[0].partition("=")[2]}
    watching = watched(waiting, Refusing)
    waiting.answer('{"id": "x"}')
    assert watching.payloads[-1][1]["Session"] == session
    assert watching.payloads[-1][1]["ChallengeResponses"]["USERNAME"] == "\U00010348" * 128


class Refusing(Watching):
    """A user pool that refuses everything."""

    def call(self, operation, payload):
        self.payloads.append((operation, payload))
        return PoolRefusal("NotAuthorizedException", "Invalid session for the user.")


def test_a_long_passkey_request_is_shown_once(waiting):
    """Twenty passkeys make a request that no cookie holds: it is left out, and the challenge can still be answered."""
    line = kept(waiting, prompt=Prompt(credential_request='{"allowCredentials": "' + "c" * 4000 + '"}'))
    waiting.jar = {CHALLENGE: line.partition(";")[0].partition("=")[2]}
    assert waiting.pending() == ChallengeRequired("WEB_AUTHN")


def test_a_session_that_cannot_be_kept_is_told(waiting):
    """Longer than Cognito says it can be: a ConfigurationError with the size, not a cookie that browsers drop."""
    with pytest.raises(ConfigurationError, match="4096 bytes"):
        kept(waiting, session="s" * 3000)


# --- what Cognito may come up with


class Saying(Watching):
    """A user pool that gives one answer."""

    answer: dict

    def call(self, operation, payload):
        self.payloads.append((operation, payload))
        return self.answer


def saying(stack, answer):
    """A counter before a user pool that answers so."""
    counter = counter_at(stack)
    watched(counter, Saying).answer = answer
    return counter


@pytest.mark.parametrize("name", ["CUSTOM_CHALLENGE", "PASSWORD_VERIFIER", "PASSWORD_SRP", "SOMETHING_NEW"])
def test_a_challenge_that_is_not_supported_says_so(stack, name):
    """SRP of a password, Lambda's challenges and unknown ones: a ConfigurationError that names it, no cookie."""
    counter = saying(stack, {"ChallengeName": name, "Session": "s" * 100, "ChallengeParameters": {}})
    with pytest.raises(ConfigurationError, match=name):
        counter.sign_in("alice")
    assert counter.jar == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MFA_SETUP", {"ChallengeParameters": {"MFAS_CAN_SETUP": '["SMS_MFA"]'}}),
        ("SELECT_MFA_TYPE", {"ChallengeParameters": {"MFAS_CAN_CHOOSE": '["SOMETHING_NEW"]'}}),
        ("SELECT_MFA_TYPE", {"ChallengeParameters": {"MFAS_CAN_CHOOSE": "{"}}),
        ("SELECT_CHALLENGE", {"AvailableChallenges": ["PASSWORD_SRP"]}),
        ("SELECT_CHALLENGE", {}),
    ],
)
def test_a_choice_without_anything_to_choose(stack, name, said):
    """Nothing that could be answered here is offered: a ConfigurationError that names the challenge."""
    counter = saying(stack, {"ChallengeName": name, "Session": "s" * 100, **said})
    with pytest.raises(ConfigurationError, match=name):
        counter.sign_in("alice")
    assert counter.jar == {}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"AuthenticationResult": None, "ChallengeName": None},
        {"ChallengeName": "SMS_MFA"},
        {"ChallengeName": "SMS_MFA", "Session": None},
        {"ChallengeName": "SMS_MFA", "Session": 7, "ChallengeParameters": []},
    ],
)
def test_an_answer_that_is_none(stack, answer):
    """Neither tokens nor a whole challenge: could not find out."""
    counter = saying(stack, answer)
    with pytest.raises(ProviderUnavailable):
        counter.sign_in("alice")
    assert counter.jar == {}


def test_the_same_challenge_anew_means_a_wrong_code(waiting):
    """Where Cognito puts the same challenge again in place of an error: wrong_code, and its new Session is what counts."""
    watching = watched(waiting, Saying)
    watching.answer = {"ChallengeName": "EMAIL_OTP", "Session": "new-session" * 5, "ChallengeParameters": {}}
    old = waiting.jar[CHALLENGE]
    outcome = waiting.answer("123456")
    assert outcome.reason == "wrong_code"
    assert waiting.jar[CHALLENGE] != old
    waiting.answer("123456")
    assert watching.payloads[-1][1]["Session"] == "new-session" * 5


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("NotAuthorizedException", "Invalid session for the user, session is expired.", "challenge_expired"),
        ("NotAuthorizedException", "Invalid session for the user, session can only be used once.", "challenge_expired"),
        ("NotAuthorizedException", "Incorrect username or password.", "wrong_credentials"),
        ("NotAuthorizedException", "User is disabled.", "wrong_credentials"),
        ("UserNotFoundException", "User does not exist.", "wrong_credentials"),
        ("CodeMismatchException", "Invalid code or auth state for the user.", "wrong_code"),
        ("ExpiredCodeException", "Invalid code provided, please request a code again.", "expired_code"),
        ("CodeDeliveryFailureException", "", "code_not_sent"),
        ("InvalidPasswordException", "Password did not conform with policy", "invalid_password"),
        ("PasswordHistoryPolicyViolationException", "", "invalid_password"),
        ("InvalidParameterException", "Invalid attributes given, given_name is missing", "invalid_input"),
        ("PasswordResetRequiredException", "", "password_reset_required"),
        ("TooManyFailedAttemptsException", "", "too_many_attempts"),
        ("LimitExceededException", "", "too_many_attempts"),
        ("AliasExistsException", "", "username_exists"),
        ("UserLambdaValidationException", "PostAuthentication failed", "refused"),
        ("ForbiddenException", "", "refused"),
        ("SomethingNewException", "", "refused"),
    ],
)
def test_what_a_refused_answer_means(waiting, code, message, reason):
    """Each code by its reason and no more; the cookie stays as it is."""
    watching, jar = watched(waiting, Saying), dict(waiting.jar)
    watching.answer = PoolRefusal(code, message)
    assert waiting.answer("123456") == refused(reason)
    assert waiting.jar == jar


# --- outages

FAULTS = pytest.mark.parametrize("fault", ["throttle", "error500", "drop_before"])


@FAULTS
def test_an_outage_keeps_the_challenge(waiting, fault):
    """Throttled or down while the code is checked: an exception, no session, and the same code works afterwards."""
    jar = dict(waiting.jar)
    waiting.app.stack.fault("RespondToAuthChallenge", fault)
    with pytest.raises(ProviderUnavailable):
        waiting.answer(waiting.code)
    assert waiting.calls() == ["RespondToAuthChallenge"]
    assert waiting.jar == jar
    waiting.nobody()
    waiting.arrived(waiting.answer(waiting.code), waiting.user)


def test_an_answer_that_was_lost_is_not_given_twice(waiting):
    """The code was right and Cognito's answer lost: an exception, no session; the code is used up, and that is said."""
    waiting.app.stack.fault("RespondToAuthChallenge", "drop_after")
    with pytest.raises(ProviderUnavailable) as caught:
        waiting.answer(waiting.code)
    assert caught.value.sent is None
    assert waiting.answer(waiting.code) == EXPIRED
    waiting.nobody()


def test_the_store_down_when_the_code_is_right(waiting):
    """No session and no cookie; what was used up at Cognito is said, and a new sign-in works."""
    waiting.manager.ports = waiting.manager.ports._replace(sleep=waiting.app.stack.advance)
    waiting.app.stack.fault("TransactWriteItems", "error500", times=None)
    with pytest.raises(SessionUnavailable):
        waiting.answer(waiting.code)
    waiting.app.stack.clear_faults()
    waiting.nobody()
    waiting.sign_in(waiting.user.username)
    waiting.arrived(waiting.answer(sent(waiting, waiting.user)), waiting.user)


@pytest.fixture
def setting_up(stack):
    """A user who is shown the secret of an authenticator app."""
    counter = counter_at(stack, mfa="ON")
    counter.user = counter.app.user()
    counter.secret = counter.challenged("MFA_SETUP", counter.sign_in(counter.user.username)).secret
    counter.calls()
    return counter


@FAULTS
def test_an_outage_before_the_set_up_is_verified(setting_up, fault):
    """Nothing has happened: the same page and the next code go on."""
    setting_up.app.stack.fault("VerifySoftwareToken", fault)
    with pytest.raises(ProviderUnavailable):
        setting_up.answer(setting_up.app.stack.totp(setting_up.secret))
    setting_up.nobody()
    setting_up.arrived(setting_up.answer(setting_up.app.stack.totp(setting_up.secret)), setting_up.user)


@pytest.mark.parametrize("fault", ["throttle", "error500"])
def test_a_short_outage_after_the_set_up_was_verified(setting_up, fault):
    """Going back would cost the user the set-up, so the second call of the step is tried once more where it was not done."""
    setting_up.app.stack.fault("RespondToAuthChallenge", fault)
    setting_up.arrived(setting_up.answer(setting_up.app.stack.totp(setting_up.secret)), setting_up.user)
    assert setting_up.calls() == ["VerifySoftwareToken", "RespondToAuthChallenge", "RespondToAuthChallenge"]


@pytest.mark.parametrize("fault", ["throttle", "drop_before"])
def test_a_longer_outage_after_the_set_up_was_verified(setting_up, fault):
    """An exception and no session; a new sign-in then asks for the authenticator app, which is set up."""
    stack = setting_up.app.stack
    stack.fault("RespondToAuthChallenge", fault, times=2)
    with pytest.raises(ProviderUnavailable):
        setting_up.answer(stack.totp(setting_up.secret))
    stack.clear_faults()
    setting_up.nobody()
    assert setting_up.answer(stack.totp(setting_up.secret)) == EXPIRED
    setting_up.challenged("SOFTWARE_TOKEN_MFA", setting_up.sign_in(setting_up.user.username))
    setting_up.arrived(setting_up.answer(stack.totp(setting_up.secret)), setting_up.user)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_an_answer_that_was_lost_in_the_set_up(setting_up, fault):
    """Where nobody knows whether the sign-in was done, it is not sent once more: an exception after one call."""
    setting_up.app.stack.fault("RespondToAuthChallenge", fault)
    with pytest.raises(ProviderUnavailable) as caught:
        setting_up.answer(setting_up.app.stack.totp(setting_up.secret))
    assert caught.value.sent is None
    assert setting_up.calls() == ["VerifySoftwareToken", "RespondToAuthChallenge"]
    setting_up.nobody()


def test_a_short_outage_when_the_secret_is_asked_for(stack):
    """Throttled once: asked again at once; for longer: an exception, no cookie, and the next sign-in works."""
    counter = counter_at(stack, mfa="ON")
    user = counter.app.user()
    stack.fault("AssociateSoftwareToken", "throttle")
    assert counter.challenged("MFA_SETUP", counter.sign_in(user.username)).secret
    counter.jar = {}
    stack.fault("AssociateSoftwareToken", "throttle", times=2)
    with pytest.raises(ProviderUnavailable):
        counter.sign_in(user.username)
    assert counter.jar == {}
    assert counter.challenged("MFA_SETUP", counter.sign_in(user.username)).secret


# --- the URI of an authenticator app


@pytest.mark.parametrize(
    ("issuer", "account", "label"),
    [
        ("Shop", "anna", "Shop:anna"),
        ("ACME Co", "john.doe@email.com", "ACME%20Co:john.doe%40email.com"),
        ("a:b/c?d&e=f#g", "x:y&secret=z", "a%20b%2Fc%3Fd%26e%3Df%23g:x%20y%26secret%3Dz"),
        ("Grüße", "Änne+1", "Gr%C3%BC%C3%9Fe:%C3%84nne%2B1"),
    ],
)
def test_the_uri_of_an_authenticator_app(issuer, account, label):
    """Issuer and account percent-encoded (RFC 3986), one colon between them, none within; no padding in the secret."""
    expected = f"otpauth://totp/{label}?secret=JBSWY3DPEHPK3PXP&issuer={label.partition(':')[0]}"
    assert otpauth_uri("JBSWY3DPEHPK3PXP====", issuer=issuer, account=account) == expected


def test_the_issuer_is_the_sites_host(stack):
    """Where none is named, authenticator apps show the host of APP_BASE_URL."""
    counter = Counter(make_app(stack, mfa="ON"), issuer=None, app_base_url="https://shop.example:8443/x")
    prompt = counter.challenged("MFA_SETUP", counter.sign_in(counter.app.user().username))
    assert prompt.otpauth_uri.startswith("otpauth://totp/shop.example:")
