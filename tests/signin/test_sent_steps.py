"""What each step of a sign-in sends to Cognito after the answer before it, and how it handles unexpected answers."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from types import SimpleNamespace

import pytest

from cognito_session.core.current_request import client_address
from cognito_session.core.errors import ProviderUnavailable
from cognito_session.core.protocol.device_cookie import KnownDevice
from cognito_session.core.protocol.device_tracking import DeviceSecret
from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.http.request import Request, headers_of
from cognito_session.http.response import Response
from cognito_session.signin import account, answering, passwords
from cognito_session.signin.flows import PasswordFlows
from cognito_session.signin.flows_async import AsyncPasswordFlows
from cognito_session.signin.managed_login import AsyncManagedLogin, ManagedLogin
from cognito_session.signin.outcome import Refusal, Refused
from cognito_session.signin.step import Visitor, follow
from cognito_session.web.unsent_cookies import collecting
from signin.flow_driver import FlowDriver, Pool, a_context, pool_context, revealed

KNOWN = KnownDevice(DeviceSecret("key", "group", "password"), "alice", "alice", 2_000_000_000)
NUMBERS = {"SALT": "abcd", "SRP_B": "1234abcd", "SECRET_BLOCK": b64encode(b"block").decode()}
NO = PoolRefusal("NotAuthorizedException")


def asked_for_device(*answers, said=None, known=KNOWN):
    """The outcome of a sign-in after DEVICE_SRP_AUTH, the calls that followed, and the driver."""
    pool, driver = Pool(*answers), FlowDriver()
    visitor = Visitor("alice@example.com", "alice", known=known)
    outcome = driver.run(follow(pool_context(pool), visitor, {"ChallengeName": "DEVICE_SRP_AUTH", **(said or {})}))
    return outcome, [payload for _, payload in pool.asked], driver


def verifier(session=None, **parameters):
    """DEVICE_PASSWORD_VERIFIER, the answer to the first half of the proof."""
    answer = {"ChallengeName": "DEVICE_PASSWORD_VERIFIER", "ChallengeParameters": {**NUMBERS, **parameters}}
    return answer if session is None else {**answer, "Session": session}


# --- the device's proof


@pytest.mark.parametrize(
    ("said", "then", "names"),
    [
        ({"USERNAME": "id-1"}, {"USERNAME": "id-2"}, ["id-1", "id-2"]),
        ({"USERNAME": "id-1"}, {}, ["id-1", "id-1"]),
        ({}, {"USERNAME": "id-2"}, ["alice", "id-2"]),
        (None, {}, ["alice", "alice"]),
        ([], {}, ["alice", "alice"]),
    ],
)
def test_a_device_is_proved_for_the_user_that_cognito_names(said, then, names):
    """The latest answer decides; if it names no user, the earlier name stays."""
    _, sent, _ = asked_for_device(verifier(**then), NO, said={"ChallengeParameters": said})
    assert [each["ChallengeResponses"]["USERNAME"] for each in sent] == names
    assert [each["ChallengeResponses"]["DEVICE_KEY"] for each in sent] == ["key", "key"]
    assert [each["ChallengeName"] for each in sent] == ["DEVICE_SRP_AUTH", "DEVICE_PASSWORD_VERIFIER"]


@pytest.mark.parametrize(("first", "second"), [("s-1", "s-2"), (None, None), ("s-1", None)])
def test_each_half_of_the_proof_carries_the_session_that_it_was_given(first, second):
    """If Cognito gave none, the call has no Session: Cognito refuses an empty one."""
    _, sent, _ = asked_for_device(verifier(second), NO, said={} if first is None else {"Session": first})
    assert [each.get("Session") for each in sent] == [first, second]
    assert ["Session" in each for each in sent] == [first is not None, second is not None]


def test_a_device_that_cognito_refuses_is_told():
    """The report gives the code and names no user, because the sign-in has proved none."""
    outcome, _, driver = asked_for_device(verifier(), NO)
    assert outcome.reason == Refusal.CHALLENGE_EXPIRED
    assert driver.told == [("device_refused", "", None, "NotAuthorizedException", False)]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ({"ChallengeName": "SMS_MFA"}, "expected DEVICE_PASSWORD_VERIFIER after DEVICE_SRP_AUTH"),
        ({"ChallengeName": "DEVICE_PASSWORD_VERIFIER"}, "expected DEVICE_PASSWORD_VERIFIER after DEVICE_SRP_AUTH"),
        (verifier(SRP_B="no number"), "DEVICE_PASSWORD_VERIFIER with parameters that cannot be answered"),
    ],
)
def test_an_odd_answer_to_a_proof_is_cognitos_fault(first, words):
    """ProviderUnavailable names what was expected; Cognito answered, so the call counts as sent."""
    with pytest.raises(ProviderUnavailable, match=words) as caught:
        asked_for_device(first)
    assert caught.value.sent is True


# --- challenges


def after(challenge, response, **more):
    """The ChallengeResponses with which `response` answers this challenge."""
    pool, driver = Pool(NO), FlowDriver()
    context = pool_context(pool)
    put = driver.run(follow(context, Visitor("alice@example.com", "alice"), {"Session": "s-1", **challenge}))
    cookies = put.set_cookies[0].partition(";")[0]
    for each in response[:-1]:
        cookies = driver.run(answering.answer(context, each, presented=cookies)).set_cookies[0].partition(";")[0]
    driver.run(answering.answer(context, response[-1], presented=cookies, **more))
    return pool.asked[-1][1]["ChallengeResponses"]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"USER_ID_FOR_SRP": "id-1", "USERNAME": "id-2"}, "id-1"),
        ({"USERNAME": "id-2"}, "id-2"),
        ({}, "alice"),
    ],
)
def test_a_challenge_is_answered_for_the_user_that_cognito_names(parameters, name):
    """USER_ID_FOR_SRP, else USERNAME, else the name that was used so far: Cognito refuses an alias there."""
    sent = after({"ChallengeName": "SMS_MFA", "ChallengeParameters": parameters}, ["123456"])
    assert sent == {"USERNAME": name, "SMS_MFA_CODE": "123456"}


def test_a_password_is_an_answer_and_only_after_a_choice_names_itself():
    """ANSWER is sent in reply to SELECT_CHALLENGE, and not in reply to PASSWORD."""
    assert after({"ChallengeName": "PASSWORD"}, ["pw"]) == {"USERNAME": "alice", "PASSWORD": "pw"}
    choice = {"ChallengeName": "SELECT_CHALLENGE", "AvailableChallenges": ["PASSWORD", "EMAIL_OTP"]}
    assert after(choice, ["PASSWORD", "pw"]) == {"USERNAME": "alice", "ANSWER": "PASSWORD", "PASSWORD": "pw"}


def test_a_challenge_without_a_session_is_cognitos_fault():
    """ProviderUnavailable says what is missing: without a Session the challenge cannot be answered."""
    with pytest.raises(ProviderUnavailable, match="without a Session") as caught:
        FlowDriver().run(follow(pool_context(Pool()), Visitor("alice", "alice"), {"ChallengeName": "SMS_MFA"}))
    assert caught.value.sent is True


def test_an_authenticator_app_without_a_secret_is_cognitos_fault():
    """ProviderUnavailable names the operation and what its answer lacks."""
    setup = {"ChallengeName": "MFA_SETUP", "Session": "s-1"}
    with pytest.raises(ProviderUnavailable, match="AssociateSoftwareToken answered without a SecretCode") as caught:
        FlowDriver().run(follow(pool_context(Pool({})), Visitor("alice", "alice"), setup))
    assert caught.value.sent is True


# --- the public classes

FIREFOX = {"user_agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
DEVICE = {"device": "Firefox on Linux"}
OPERATIONS = {
    "sign_in": (
        (("alice", "pw"), {"cookie_header": "c=d", **FIREFOX}),
        (("alice", "pw"), {"presented": "c=d", **DEVICE}),
    ),
    "start": (
        (("alice",), {"preferred": "EMAIL_OTP", "cookie_header": "c=d", **FIREFOX}),
        (("alice",), {"preferred": "EMAIL_OTP", "presented": "c=d", **DEVICE}),
    ),
    "answer": (
        (("c=d", "123456"), {"challenge": "SMS_MFA", "attributes": {"a": "b"}, **FIREFOX}),
        (("123456",), {"presented": "c=d", "challenge": "SMS_MFA", "attributes": {"a": "b"}, **DEVICE}),
    ),
    "confirm_forgot_password": (
        (("alice", "123456", "new"), {"sign_out_others": False}),
        (("alice", "123456", "new"), {"sign_out_others": False}),
    ),
}


class Engine:
    """A manager's engine that gives one outcome to every flow and records the client's address."""

    base_url = None
    context = a_context()
    trusted_proxies = 0
    ports = SimpleNamespace(user_pool=Pool(), authorization_server=SimpleNamespace(domain=""))

    def __init__(self, outcome=None):
        self.outcome = outcome
        self.clients = []

    def run(self, flow):
        self.clients.append(client_address())
        return FlowDriver().run(flow) if self.outcome is None else self.outcome

    async def arun(self, flow):
        return self.run(flow)


def done(answer):
    """The answer of a synchronous or an asynchronous method."""
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


@pytest.mark.parametrize("flows", [PasswordFlows, AsyncPasswordFlows])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_both_classes_hand_over_all_that_they_were_given(flows, operation, monkeypatch):
    """Label, cookies, challenge and `sign_out_others` reach the flow, and unsent cookies are noted under the method's name."""
    given, noted = [], []
    for module in (account, answering, passwords):
        if hasattr(module, operation):
            monkeypatch.setattr(module, operation, lambda _context, *args, **keywords: given.append((args, keywords)))
    made = flows(Engine(Refused(Refusal.WRONG_CODE, ("a=b",))), "Shop")
    (arguments, keywords), (expected, expected_keywords) = OPERATIONS[operation]
    request_session = SimpleNamespace(client_address="", note=lambda call, cookies: noted.append((call, cookies)))
    with collecting(request_session):
        done(getattr(made, operation)(*arguments, **keywords))
    ((args, others),) = given
    assert (tuple(map(revealed, args)), revealed(others)) == (expected, expected_keywords)
    assert noted == [(f"PasswordFlows.{operation}", ("a=b",))]


@pytest.mark.parametrize("login", [ManagedLogin, AsyncManagedLogin])
def test_reports_of_managed_login_have_the_clients_address(login):
    """While its flows run, reports can read the client's address."""
    engine = Engine(Response(204, {}))
    made = login(engine, SimpleNamespace(login_path="/login", base_url="https://app.example"))
    done(made.callback(Request("GET", "/auth/callback", "", headers_of([]), client="203.0.113.9")))
    assert engine.clients == ["203.0.113.9"]


@pytest.mark.parametrize("login", [ManagedLogin, AsyncManagedLogin])
def test_the_answer_to_a_prefetch_is_for_prefetches_alone(login):
    """Vary names the headers that decided, so that no cache serves it to the navigation that follows."""
    made = login(Engine(), SimpleNamespace(login_path="/login", base_url="https://app.example"))
    answer = done(made.callback(Request("GET", "/auth/callback", "", headers_of([("sec-purpose", "prefetch")]))))
    assert answer.status == 503
    assert answer.headers["Vary"] == "Sec-Purpose, Purpose"
    assert answer.headers["Content-Type"] == "text/plain"
