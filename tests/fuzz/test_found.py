"""What fuzzing has found stays mended: each input once brought down what reads it."""

from __future__ import annotations

import json

import pytest

from cognito_session import ConfigurationError, SessionManager, SessionRequired, SessionUnavailable
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.oauth import _read
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.answer import read_answer
from cognito_session.aws.transport.interface import ServiceError
from cognito_session.core.crypto.access_token import verify
from cognito_session.core.crypto.aead import MalformedSeal, open_cookie, seal
from cognito_session.core.crypto.id_token import verify_id_token
from cognito_session.core.errors import InvalidClaim, MalformedToken, ProviderUnavailable, StoreUnavailable
from cognito_session.core.protocol.establish import SignedIn
from cognito_session.core.protocol.ports import RefreshRequest
from cognito_session.core.protocol.record import USER_SID
from cognito_session.http.error_response import refusal
from cognito_session.http.request import Request
from cognito_session.sqlite.row import from_text
from cognito_session.testing.clock import ManualClock
from cognito_session.web import asgi
from cognito_session.web.aws_lambda.event import Form
from cognito_session.web.aws_lambda.response import cookies_in, with_session_headers
from fuzz.shapes import deep, spelled
from fuzz.test_answers import Wire
from fuzz.test_managed_login import asked, keep, site
from fuzz.test_password_flows import _site, tokens
from fuzz.test_rows import OPERATIONS, scene
from fuzz.test_seals import COOKIE_OF, RING
from fuzz.test_tokens import ACCESS, ID, ISSUER, genuine
from support.carried import carried
from support.tokens import ISSUED_AT

DEEP = "[" * 100_000


def test_an_id_token_whose_issuer_is_a_list():
    """It is refused as any other wrong issuer."""
    beside = verify(genuine()[0], ISSUER.key_set(), ISSUER.rules)
    text = ISSUER.mint({**ID, "iss": [ISSUER.url]})
    with pytest.raises(InvalidClaim, match="iss"):
        verify_id_token(text, ISSUER.key_set(), ISSUER.rules, access_token=beside, nonce="n-1", now=ISSUED_AT)


def test_an_access_token_with_deep_claims():
    """Deeper than anybody's claims, and than Python's recursion: malformed."""
    assert verify(ISSUER.mint({**ACCESS, "custom": deep(60)}), ISSUER.key_set(), ISSUER.rules).claims["custom"]
    with pytest.raises(MalformedToken):
        verify(ISSUER.mint({**ACCESS, "custom": deep(900)}), ISSUER.key_set(), ISSUER.rules)


def test_a_sealed_cookie_that_holds_a_deep_list():
    """Sealed by our own key, it still is no credential."""
    text = seal(RING, b"[" * 20_000, purpose="cookie", bound_to=tuple(COOKIE_OF.values()), nonce=bytes(12))
    with pytest.raises(MalformedSeal):
        open_cookie(RING, text, **COOKIE_OF)


@pytest.mark.parametrize("form", [Form.V1, Form.V2, Form.ALB, Form.ALB_MULTI])
@pytest.mark.parametrize("given", [{"headers": [1]}, {"headers": "x"}, {"headers": True}, {"multiValueHeaders": [[]]}])
def test_a_function_s_answer_whose_headers_are_no_map(form, given):
    """It is said to be none."""
    with pytest.raises(ConfigurationError, match=r"the function's answer.*eaders"):
        with_session_headers(form, {"statusCode": 200, **given}, ["a=b"])


@pytest.mark.parametrize("status", [None, [], "many", 1e999])
def test_a_function_s_answer_to_a_load_balancer_without_a_status(status):
    """It is said to be none: the status line could not be written."""
    with pytest.raises(ConfigurationError, match="statusCode"):
        with_session_headers(Form.ALB, {"statusCode": status}, [])


def test_a_body_that_looks_like_an_answer_sets_no_cookies():
    """Without statusCode all of it is body, and hides no cookie of ours."""
    assert cookies_in({"cookies": ["__Host-session=x"], "headers": {"set-cookie": "__Host-session=x"}}) == []


def test_paths_that_utf_8_cannot_spell():
    """A lone surrogate is sent to sign in as any path, and read from a scope as any path."""
    request = Request("GET", "/\ud800", "a=\udfff", {"sec-fetch-mode": ("navigate",)})
    assert refusal(request, SessionRequired(), login_path="/login").headers["Location"].isascii()
    assert asgi.request_of({"type": "http", "path": "/\ud800", "headers": []}).path.isascii()


@pytest.mark.parametrize("error", [[], {}, ["invalid_grant"], None, 7])
def test_an_oauth_error_that_is_no_text(error):
    """Nothing may be concluded from it."""
    with pytest.raises(ProviderUnavailable):
        _read(400, spelled({"error": error}).encode())


def test_a_login_hint_that_cannot_be_sent():
    """It is refused as any other text that Cognito does not take."""
    assert site().login.start(asked("GET", "/login", "", {}), login_hint="\ud800").status == 500


@pytest.mark.parametrize("code", ["\ud800", "a\x00b", "\u00e9", "c" * 2049])
def test_a_code_that_no_server_issues(code):
    """The token endpoint is not asked, and the flow goes on."""
    asked_for = []
    here = site(lambda status, document: asked_for.append(document) or (status, json.dumps(document).encode()))
    keep(here.jar, here.login.start(asked("GET", "/login", "", here.jar)))
    (flow,) = here.jar
    state = flow.rpartition("-")[2]
    answer = here.login.callback(asked("GET", "/auth/callback", f"code={code}&state={state}", here.jar))
    assert (answer.status, answer.cookies, asked_for) == (400, (), [])


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}', '{"a": "x"}'.encode("utf-16")])
def test_an_answer_of_aws_that_is_no_unicode(body):
    """It is not AWS's own: no text of it could be sent or stored."""
    with pytest.raises(ServiceError) as caught:
        read_answer("cognito-idp", "X", 200, body)
    assert caught.value.code == "HTTP200"


def test_an_answer_of_aws_with_a_pair_of_surrogates():
    """Escaped as it mostly is, an emoji is a text like any other."""
    assert read_answer("cognito-idp", "X", 200, b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


@pytest.mark.parametrize("text", ['{"a":' * 100_000, '{"SESSION_KEYS": "1.AAAA'])
def test_a_secret_that_is_no_json_object(text):
    """The operator is told, and no error that is raised or chained holds the secret."""
    with pytest.raises(ConfigurationError, match="SESSION_SECRET_ARN") as caught:
        StoredSecret(Wire(200, spelled({"SecretString": text}).encode()), "arn:x").keys()
    assert text[-4:] not in carried(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("SELECT_MFA_TYPE", {"MFAS_CAN_CHOOSE": DEEP}),
        ("MFA_SETUP", {"MFAS_CAN_SETUP": DEEP}),
        ("SMS_MFA", {"CODE_DELIVERY_DESTINATION": DEEP}),
    ],
)
def test_a_challenge_that_says_too_much(name, parameters):
    """Lists deeper than recursion and texts longer than a cookie are the operator's to look into."""
    told = {"ChallengeName": name, "Session": "s", "ChallengeParameters": parameters}
    _, _, flows = _site([(200, spelled(told).encode())])
    with pytest.raises(ConfigurationError):
        flows.sign_in("alice", "right")


def test_a_device_key_that_is_no_text():
    """A session has none then: the row would be unreadable for ever."""
    assert SignedIn.of({**tokens(), "NewDeviceMetadata": {"DeviceKey": 7}}).device_key is None


def test_tokens_that_are_too_long_to_be_any():
    """They are not sealed, which would fail in the middle of a sign-in or a refresh."""
    with pytest.raises(ConfigurationError):
        SignedIn.of({**tokens(), "RefreshToken": "r" * 30_000})
    for result in ({"AccessToken": "a" * 300_000}, {"AccessToken": "a", "RefreshToken": "r" * 30_000}):
        wire = Wire(200, spelled({"AuthenticationResult": result}).encode())
        provider = CognitoProvider(wire, client_id="c", client_secret=ClientSecret(None), clock=ManualClock())
        with pytest.raises(ProviderUnavailable):
            provider.refresh(RefreshRequest("r", None, None, 1e9))


def test_session_data_deeper_than_recursion():
    """The row is unreadable; nobody is signed out by it."""
    here = scene("sealed", "sid", "evict")
    here.go_back()
    here.store.rows[here.sub, here.sid]["data"] = DEEP
    with pytest.raises(StoreUnavailable):
        here.manager.resolve(here.header)


def test_a_row_that_says_its_token_lives_longer():
    """An expired token is served to nobody, and it is known that somebody has changed the row."""
    here = scene("sealed", "sid", "evict")
    here.go_back()
    here.store.rows[here.sub, here.sid].update({"access_exp": 10**40, "access_iat": None})
    here.cognito.advance(3_700)
    with pytest.raises(StoreUnavailable):
        here.manager.resolve(here.header)


@pytest.mark.parametrize("operation", ["resolve", "sign_out", "revoke_all"])
def test_a_row_whose_generation_is_null(operation):
    """It cannot be counted up: unreadable for whoever comes, and no obstacle to a new sign-in."""
    here = scene("sealed", "sid", "evict")
    here.go_back()
    here.store.rows[here.sub, here.sid].update({"gen": None})
    del here.store.rows[here.sub, here.sid]["sid"]
    assert OPERATIONS["establish"](here).sub == here.sub
    with pytest.raises(SessionUnavailable):
        OPERATIONS[operation](here)


def test_a_session_id_that_is_no_unicode():
    """In a file's row it can stand: the row's code is checked over it as over any other text, and does not fit."""
    here = scene("token", "", "evict")
    here.go_back()
    next(iter(here.store.rows.values())).update({"sid": "\ud800"})
    with pytest.raises(SessionUnavailable) as caught:
        OPERATIONS["resolve"](here)
    assert caught.value.reason == "tampered_record"


@pytest.mark.parametrize("strange", [{"sid": None}, {"token": "rt-plain", "token_hash": None}])
def test_a_sign_out_that_no_write_can_do(strange):
    """A null meets no condition, so that the row seems to change for ever: given up after twenty rounds, not after seconds."""
    here = scene("token", "", "evict")
    here.go_back()
    next(iter(here.store.rows.values())).update(strange)
    began = len(here.cognito.calls)
    with pytest.raises(SessionUnavailable):
        OPERATIONS["sign_out"](here)
    assert len(here.cognito.calls) - began <= 40


@pytest.mark.parametrize("strange", [{"not_before": frozenset()}, {"not_before": "x"}, {"sign_ins": "x"}])
def test_a_user_s_row_with_foreign_types(strange):
    """A sign-in cannot find out whether it may begin."""
    here = scene("sealed", "sid", "refuse")
    here.go_back()
    here.store.rows[here.sub, USER_SID].update(strange)
    with pytest.raises(SessionUnavailable):
        here.manager.establish(here.tokens)


@pytest.mark.parametrize("text", ['{"a":{"$map":null}}', '{"a":{"$map":1}}', '{"a":{"$set":[[]]}}', DEEP])
def test_a_file_s_row_whose_marks_hold_something_else(text):
    """It is unreadable."""
    with pytest.raises(StoreUnavailable):
        from_text(text)


def test_the_scenes_are_whole():
    """What these tests begin with serves: they would claim nothing of a scene that refuses everything."""
    here = scene("sealed", "sid", "refuse")
    here.go_back()
    assert isinstance(here.manager, SessionManager)
    assert here.manager.resolve(here.header).session.sub == here.sub
    assert here.manager.establish(here.tokens).sub == here.sub
