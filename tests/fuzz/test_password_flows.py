"""Signing in without redirect: forms with anything in them, cookies of challenges, and whatever Cognito may answer.

Cognito's bytes are read by the real reader and translated by the real user pool; only the wire is ours.
"""

# ruff: noqa: PT017 - a refusal is one of a target's results, with claims of its own

from __future__ import annotations

import json
from functools import lru_cache

from hypothesis import strategies as st

from cognito_session import ConfigurationError, SessionManager, SessionUnavailable
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.transport.answer import read_answer
from cognito_session.aws.user_pool import CognitoUserPool
from cognito_session.core.secret import Secret
from cognito_session.drivers.sync import run
from cognito_session.signin.challenge import CHALLENGE_SECONDS, Challenge, find_challenge, keep_challenge
from cognito_session.signin.decode import decode_token
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.outcome import ChallengeRequired, Established, Prompt, Refused
from cognito_session.testing.cognito import Cognito
from fuzz.harness import fuzz
from fuzz.kit import ENVIRONMENT, kit
from fuzz.shapes import JSON, JSON_TEXTS, TEXTS, damaged, json_bytes, one_in, replaced, spelled
from fuzz.test_cookies import kept_by_a_browser, plainly_read
from support.tokens import b64url

CHALLENGE = "__Host-session-challenge"
NAMES = [
    *("SMS_MFA", "EMAIL_OTP", "SMS_OTP", "SOFTWARE_TOKEN_MFA", "NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SELECT_MFA_TYPE"),
    *("SELECT_CHALLENGE", "PASSWORD", "WEB_AUTHN", "CUSTOM_CHALLENGE"),
]
CHOICES = ("PASSWORD", "EMAIL_OTP", "WEB_AUTHN", "SOFTWARE_TOKEN_MFA")
TYPED = one_in(
    3,
    st.one_of(TEXTS, st.none(), st.just("p" * 100_000), JSON),
    st.sampled_from(
        ["123456", " 123 456 ", "Correct-horse-1", "alice", "EMAIL_OTP", "PASSWORD", '{"id": "x"}', "\u0661\u0662"]
    ),
)
PROMPTS = st.builds(
    Prompt,
    destination=st.sampled_from([None, "a***"]),
    medium=st.none(),
    otpauth_uri=st.none(),
    choices=st.lists(st.sampled_from(CHOICES), unique=True).map(tuple),
    required_attributes=st.sampled_from([(), ("email",)]),
    secret=st.sampled_from([None, "ABCDEFGH"]),
    credential_request=one_in(8, st.just("x" * 3000), st.sampled_from([None, "{}"])),
)
CHALLENGES = st.builds(
    Challenge,
    name=st.sampled_from(NAMES[:-1]),
    answers=st.sampled_from(["SELECT_CHALLENGE", "PASSWORD", "SMS_MFA"]),
    username=st.sampled_from(["alice", "\u00e4\u20ac"]),
    account=st.sampled_from(["alice", "a@example.com"]),
    session=st.integers(1, 2000).map("s".__mul__),
    expires_at=one_in(5, st.integers(-2, 0), st.just(CHALLENGE_SECONDS)),
    prompt=PROMPTS,
)


class Wire:
    """Sends nothing: the next prepared answer is read as a transport reads one. `sent` are the payloads, as JSON."""

    def __init__(self, answers) -> None:
        self._answers = iter(answers)
        self.sent = []

    def call(self, service, operation, payload, **_):
        """See aws.wire.Wire."""
        self.sent.append(json.dumps(payload, default=Secret.reveal))
        status, body = next(self._answers, (500, b""))
        return read_answer(service, operation, status, body)


@lru_cache(maxsize=1)
def tokens() -> dict:
    """What a sign-in of the kit's user brings."""
    cognito = Cognito()
    cognito.attach(SessionManager.from_env(environ=ENVIRONMENT))
    cognito.user("alice")
    return cognito.tokens("alice")


def _challenge(name):
    return {
        "ChallengeName": name,
        "Session": "s" * 40,
        "ChallengeParameters": {
            "USER_ID_FOR_SRP": "alice",
            "CODE_DELIVERY_DESTINATION": "a***",
            "requiredAttributes": '["userAttributes.email"]',
            "MFAS_CAN_SETUP": '["SOFTWARE_TOKEN_MFA"]',
            "MFAS_CAN_CHOOSE": '["SMS_MFA","SOFTWARE_TOKEN_MFA"]',
            "CREDENTIAL_REQUEST_OPTIONS": "{}",
        },
        "AvailableChallenges": ["PASSWORD", "EMAIL_OTP"],
    }


REFUSALS = [
    *("NotAuthorizedException", "UserNotFoundException", "CodeMismatchException", "InvalidParameterException"),
    *("TooManyRequestsException", "LimitExceededException", "PasswordResetRequiredException", "UnexpectedLambdaException", "X"),
]
PLACES = one_in(
    4,
    TEXTS,
    st.sampled_from(
        ["AuthenticationResult", "ChallengeName", "Session", "SecretCode", "NewDeviceMetadata", "DeviceKey", "Status"]
    ),
)


@st.composite
def _answers(draw: st.DrawFn):
    """An answer of Cognito's: status and bytes."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from([200, 200, 400, 500, 302])), draw(json_bytes(JSON_TEXTS))
    if kind < 3:
        message = draw(
            one_in(3, JSON, st.sampled_from(["Invalid session for the user.", "secret hash", "Access Token revoked", ""]))
        )
        return 400, spelled({"__type": draw(st.sampled_from(REFUSALS)), "message": message}).encode()
    proper = draw(
        st.one_of(
            st.builds(tokens).map(
                lambda result: {"AuthenticationResult": {**result, "NewDeviceMetadata": {"DeviceKey": "d-1"}}}
            ),
            st.sampled_from(NAMES).map(_challenge),
            st.sampled_from(
                [
                    {"SecretCode": "ABCDEFGH", "Session": "t"},
                    {"Status": "SUCCESS", "Session": "u"},
                    {"CodeDeliveryDetails": {"Destination": "a***", "DeliveryMedium": "EMAIL"}, "UserConfirmed": False},
                    {"CredentialCreationOptions": {"challenge": "x"}},
                    {},
                ]
            ),
        )
    )
    return 200, spelled(draw(one_in(3, replaced(st.just(proper), PLACES), st.just(proper)))).encode()


@st.composite
def _headers(draw: st.DrawFn):
    """The Cookie header of a browser that is in the middle of a sign-in, or seems to be; and its one true challenge."""
    challenge = draw(CHALLENGES)
    manager = kit().manager
    challenge = challenge._replace(expires_at=manager.context.now() + challenge.expires_at)
    whole = run(keep_challenge(manager.context, challenge), manager.ports).partition(";")[0]
    match draw(st.integers(0, 5)):
        case 0:
            pair = draw(damaged(st.just(whole)))
            return pair, challenge if whole.partition("=")[2] in plainly_read(CHALLENGE, pair)[0] else None
        case 1:
            newer = f"{CHALLENGE}=v99.1." + "A" * 40
            return draw(
                st.sampled_from(["", f"{CHALLENGE}=", f"{CHALLENGE}=v1.2.x", newer, f"x{whole}", whole.swapcase()])
            ), None
        case 2:
            other = run(keep_challenge(manager.context, challenge._replace(session="other")), manager.ports).partition(";")[0]
            return f"{whole}; {other}", None
        case 3:
            return f"{CHALLENGE}={draw(TEXTS).replace(';', '')}; {whole}; {whole}", challenge
    return whole, challenge


def _site(answers):
    """A manager of its own, whose user pool hears those answers; the kit's keys open the cookies."""
    cognito = Cognito()
    manager = cognito.attach(SessionManager.from_env(environ=ENVIRONMENT))
    wire = Wire(answers)
    pool = CognitoUserPool(lambda: wire, client_id="client", client_secret=ClientSecret("secret"))
    manager.ports = manager.ports._replace(user_pool=pool)
    return manager, wire, PasswordFlows(manager.engine, None)


OPERATIONS = {
    "sign_in": 2,
    "start": 1,
    "answer": 1,
    "register": 2,
    "confirm": 2,
    "resend": 1,
    "forgot_password": 1,
    "confirm_forgot_password": 3,
}
OF_A_USER = {"change_password": 2, "begin_totp": 0, "confirm_totp": 1, "begin_passkey": 0, "complete_passkey": 1}


def _called(flows, name, typed, header):
    """One operation with what was typed into its form."""
    if name == "answer":
        return flows.answer(header[0], typed[0], challenge=None, attributes={"email": "a@example.com"})
    if name in ("sign_in", "start"):
        return getattr(flows, name)(*typed[: OPERATIONS[name]], cookie_header=header[0], user_agent="x")
    if name in OF_A_USER:
        me = kit().manager.resolve(f"__Host-session={kit().cookie}").session
        return getattr(flows, name)(me, *typed[: OF_A_USER[name]])
    return getattr(flows, name)(*typed[: OPERATIONS[name]])


@fuzz(
    sees={"Established", "ChallengeRequired", "Refused", "SessionUnavailable"},
    rarely={"ConfigurationError"},
    name=one_in(2, st.sampled_from([*OPERATIONS, *OF_A_USER]), st.sampled_from(["sign_in", "answer", "start"])),
    typed=st.tuples(TYPED, TYPED, TYPED),
    header=_headers(),
    answers=st.lists(_answers(), min_size=1, max_size=3),
)
def test_any_form_and_any_answer(name, typed, header, answers):
    """Each operation ends in one of its outcomes, in "could not find out" or in what the operator must mend."""
    manager, wire, flows = _site(answers)
    try:
        outcome = _called(flows, name, typed, header)
    except SessionUnavailable:
        return "SessionUnavailable"
    except ConfigurationError:
        return "ConfigurationError"
    if name == "answer" and (header[1] is None or header[1].expires_at <= manager.context.now()):
        assert isinstance(outcome, Refused)
        assert not wire.sent
    lines = getattr(outcome, "set_cookies", ())
    assert {kept_by_a_browser(line)[0] for line in lines} <= {CHALLENGE, "__Host-session", "__Host-session-device"}
    assert all(len(part) <= 300 for part in map(repr, typed) if any(part[1:-1] in sent for sent in wire.sent if len(part) > 9))
    if isinstance(outcome, Established):
        assert outcome.session.username == "alice"
    if isinstance(outcome, ChallengeRequired):
        assert outcome.name in NAMES
        assert "ssss" not in repr(outcome)
    return type(outcome).__name__


@st.composite
def _told(draw: st.DrawFn):
    """A challenge or tokens in which Cognito says something strange, mostly in the parameters, which hold JSON as text."""
    answer = _challenge(draw(st.sampled_from(NAMES)))
    place = draw(st.sampled_from(sorted(answer["ChallengeParameters"])))
    answer["ChallengeParameters"][place] = draw(st.one_of(JSON_TEXTS, TEXTS, JSON))
    if draw(st.booleans()):
        answer = draw(replaced(st.just(answer), PLACES))
    if draw(st.integers(1, 4)) == 1:
        device = draw(one_in(2, JSON, st.fixed_dictionaries({"DeviceKey": JSON})))
        answer = {"AuthenticationResult": {**tokens(), "NewDeviceMetadata": device}}
    return answer


@fuzz(
    sees={"Established", "ChallengeRequired", "SessionUnavailable"},
    rarely={"ConfigurationError"},
    told=_told(),
    second=_told(),
    associated=one_in(2, JSON, st.fixed_dictionaries({"SecretCode": TEXTS, "Session": JSON})),
    way=st.sampled_from(["sign_in", "start"]),
)
def test_whatever_cognito_says_to_a_sign_in(told, second, associated, way):
    """What Cognito says after the right password: a session that can be used, a page that can be shown, or an error of ours."""
    manager, _, flows = _site((200, spelled(answer).encode()) for answer in (told, associated, second))
    sign_in = {"sign_in": lambda: flows.sign_in("alice", "right"), "start": lambda: flows.start("alice", preferred="PASSWORD")}
    try:
        outcome = sign_in[way]()
    except SessionUnavailable:
        return "SessionUnavailable"
    except ConfigurationError:
        return "ConfigurationError"
    header = "; ".join(line.partition(";")[0] for line in outcome.set_cookies)
    if isinstance(outcome, Established):
        assert manager.resolve(header).session.username == "alice"
    if isinstance(outcome, ChallengeRequired):
        shown = flows.pending(header)
        assert (shown.name, shown.prompt.choices) == (outcome.name, outcome.prompt.choices)
        assert json.loads(json.dumps(outcome.prompt)) is not None
    return type(outcome).__name__


@fuzz(sees={"waits", "none", "over"}, rarely={"SessionUnavailable"}, header=_headers())
def test_any_challenge_cookie(header):
    """A challenge is found exactly where its own whole cookie is there, alone and in time."""
    text, challenge = header
    manager = kit().manager
    try:
        found = run(find_challenge(manager.context, text), manager.ports)
    except SessionUnavailable:
        assert challenge is None
        return "SessionUnavailable"
    if challenge is None:
        assert found is None
        return "none"
    if challenge.expires_at <= manager.context.now():
        assert found is None
        return "over"
    assert found is not None
    left_out = found.prompt.credential_request is None
    assert found == challenge or (left_out and found.prompt == challenge.prompt._replace(credential_request=None))
    assert PasswordFlows(manager.engine, None).pending(text).name == challenge.name
    return "waits"


OBJECTS = one_in(2, JSON_TEXTS, st.dictionaries(TEXTS, JSON, max_size=3).map(spelled))


@fuzz(
    sees={"claims", "ValueError"},
    text=one_in(
        3,
        TEXTS,
        st.builds(
            "{}.{}.{}".format,
            one_in(3, TEXTS, st.just("e30")),
            json_bytes(OBJECTS).map(b64url),
            one_in(3, TEXTS, st.just("AAAA")),
        ),
    ),
)
def test_decode_token_reads_or_says_so(text):
    """Any text has claims or is a ValueError that shows nothing of it."""
    try:
        claims = decode_token(text)
    except ValueError as error:
        assert len(text) < 9 or text not in str(error)
        return "ValueError"
    assert type(claims) is dict
    return "claims"
