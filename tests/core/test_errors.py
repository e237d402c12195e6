"""The error tree: its shape, what each error answers, and what it never says."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from cognito_session.core import errors
from cognito_session.core.errors import (
    ConfigurationError,
    ExpiredOnArrival,
    InvalidClaim,
    InvalidSignature,
    KeysUnavailable,
    LeaseBusy,
    MalformedToken,
    ProviderUnavailable,
    SessionConflict,
    SessionError,
    SessionForbidden,
    SessionRequired,
    SessionUnavailable,
    StaleSignIn,
    StoreUnavailable,
    TokenError,
    UnknownKey,
)
from cognito_session.core.protocol.session import Reason
from cognito_session.core.security_headers import SECURITY_HEADERS


def drawn_tree() -> dict[str, tuple[str, int | None]]:
    """Each class in the module's drawing with its parent and the status written beside it."""
    found: dict[str, tuple[str, int | None]] = {}
    branch = ["SessionError"]
    for line in errors.__doc__.splitlines():
        drawn = re.match(r"((?:\|   )*)\|- (.*)", line)
        if drawn is None:
            continue
        depth = len(drawn[1]) // 4
        status = re.search(r"\b[45]\d\d\b", drawn[2])
        names = [name.strip() for name in re.split(r"\s{2,}", drawn[2])[0].split(",")]
        branch = [*branch[: depth + 1], names[0]]
        found |= {name: (branch[depth], int(status[0]) if status else None) for name in names}
    return found


def test_the_drawn_tree_is_the_tree():
    """The drawing at the head of the module names every class, its parent and its status, and none that is not there."""
    classes = {name: getattr(errors, name) for name in errors.__all__ if name != "SessionError"}
    drawn = drawn_tree()
    assert drawn.keys() == classes.keys()
    for name, (parent, status) in drawn.items():
        assert classes[name].__bases__[0].__name__ == parent
        if status is not None:
            assert classes[name].status == status


def test_everything_raised_is_exported():
    """No error class hides outside the module's list of exports."""
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(errors.__all__)


def test_a_configuration_error_is_a_value_error():
    """Whoever checks settings with `except ValueError` catches it, and so does `except SessionError`."""
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(ConfigurationError, SessionError)


def test_denied_and_unknown_share_no_type():
    """No outage is a denial and no denial an outage."""
    denied, unknown = (SessionRequired, SessionForbidden, TokenError), SessionUnavailable
    assert not any(issubclass(kind, unknown) or issubclass(unknown, kind) for kind in denied)


DEFAULTS = [
    (SessionError, 500, "error", None),
    (SessionRequired, 401, "no_cookie", None),
    (SessionForbidden, 403, "forbidden", None),
    (errors.SessionConflict, 409, "conflict", None),
    (SessionUnavailable, 503, "unavailable", 1),
    (StoreUnavailable, 503, "store_unavailable", 1),
    (ProviderUnavailable, 503, "provider_unavailable", 1),
    (KeysUnavailable, 503, "keys_unavailable", 1),
    (LeaseBusy, 503, "lease_busy", 1),
    (ConfigurationError, 500, "configuration", None),
    (TokenError, 401, "invalid_token", None),
    (MalformedToken, 401, "malformed_token", None),
    (UnknownKey, 401, "unknown_key", None),
    (errors.InvalidSignature, 401, "invalid_signature", None),
]


@pytest.mark.parametrize(("kind", "status", "reason", "retry_after"), DEFAULTS, ids=lambda v: getattr(v, "__name__", ""))
def test_what_an_error_stands_for(kind, status, reason, retry_after):
    """Each error has its status, a stable reason, and seconds to wait exactly where waiting helps."""
    error = kind("message")
    assert (error.status, error.reason, error.retry_after, str(error)) == (status, reason, retry_after, "message")


@pytest.mark.parametrize("kind", [SessionError, SessionRequired, StoreUnavailable, ProviderUnavailable, ConfigurationError])
def test_reason_and_waiting_time_may_be_given(kind):
    """A reason and a span that the raiser knows replace the defaults; a span of zero is a span."""
    error = kind("message", reason="other", retry_after=0)
    assert (error.reason, error.retry_after) == ("other", 0)


@pytest.mark.parametrize("sent", [None, False, True])
def test_a_provider_s_outage_tells_what_is_known_of_the_call(sent):
    """Never left, surely not done, or nobody knows: the flow decides by it, so it is kept apart."""
    assert ProviderUnavailable("x", sent=sent).sent is sent
    assert ProviderUnavailable("x").sent is None


@pytest.mark.parametrize(
    ("claim", "reason"),
    [("iss", "wrong_issuer"), ("client_id", "wrong_client"), ("token_use", "wrong_token_use"), ("exp", "invalid_claim")],
)
def test_a_wrong_claim_is_named(claim, reason):
    """The claim, what was expected, and a reason of its own for the three that say whose token it is."""
    error = InvalidClaim(claim, "something else")
    assert (error.claim, error.reason, str(error)) == (claim, reason, f"claim {claim}: expected something else")


def test_every_token_error_s_reason_is_a_reason_of_a_rejection():
    """What verification can say has a place in the public list of reasons: identify() converts it."""
    concrete = [kind.default_reason for kind in TokenError.__subclasses__()]
    claims = [InvalidClaim(claim, "x").reason for claim in ("iss", "client_id", "token_use", "sub")]
    assert {Reason(reason) for reason in concrete + claims} <= set(Reason)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (SessionRequired(reason="idle_timeout"), "unauthorized"),
        (SessionForbidden(), "forbidden"),
        (errors.SessionConflict(), "conflict"),
        (StoreUnavailable(retry_after=7), "unavailable"),
        (ConfigurationError("SESSION_TABLE is not set"), "misconfigured"),
    ],
    ids=["401", "403", "409", "503", "500"],
)
def test_respond_without_an_event(error, word):
    """Alone, an error answers in payload 2.0 form: its status, a JSON body of two words, not cacheable, no cookie."""
    response = error.respond()
    assert response.keys() == {"statusCode", "headers", "body"}
    assert response["statusCode"] == error.status
    assert json.loads(response["body"]) == {"error": word, "reason": error.reason}
    headers = {"Content-Type": "application/json", **SECURITY_HEADERS}
    assert response["headers"] == headers | ({"Retry-After": "7"} if error.status == 503 else {})


def test_respond_in_the_event_s_form():
    """Once the web layer has handed in a responder, it makes the answer."""
    error = SessionRequired("x")
    error.responder = lambda own: ("answered", own)
    assert error.respond() == ("answered", error)


def test_a_client_is_not_told_the_message():
    """Messages name infrastructure: neither body nor headers repeat them."""
    answer = json.dumps(StoreUnavailable("table secret-name in eu-central-1").respond())
    assert "secret-name" not in answer


def test_headers_of_one_answer_do_not_leak_into_the_next():
    """What a caller changes in one answer's headers is not in another's."""
    first = SessionRequired("x").public_headers()
    first["Set-Cookie"] = "x"
    assert "Set-Cookie" not in SessionRequired("x").public_headers()


def test_retry_after_is_an_integer_header():
    """Retry-After is spelled in whole seconds (RFC 9110 10.2.3)."""
    assert LeaseBusy("x", retry_after=12).public_headers()["Retry-After"] == "12"


EVERY = [
    SessionRequired("x", reason="idle_timeout"),
    SessionForbidden("x", reason="group_required"),
    StaleSignIn(300),
    SessionConflict("x"),
    SessionUnavailable("x", reason="keyring_unavailable", retry_after=7),
    StoreUnavailable("x"),
    ProviderUnavailable("x", sent=False, retry_after=3),
    KeysUnavailable("x"),
    LeaseBusy("x"),
    ConfigurationError("x"),
    ExpiredOnArrival(5),
    MalformedToken("x"),
    UnknownKey("x"),
    InvalidSignature("x"),
    InvalidClaim("iss", "the pool's"),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "carried", [copy.copy, copy.deepcopy, *(lambda e, n=n: pickle.loads(pickle.dumps(e, n)) for n in range(6))]
)
def test_an_error_leaves_the_process_whole(error, carried):
    """A task queue or a process pool carries it: the same class, text and facts, without what answers the request."""
    error.responder = lambda _: pytest.fail("it holds the request, and no lambda has a pickle")
    found = carried(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert found.responder is None
    assert {**vars(found), "responder": None} == {**vars(error), "responder": None}
    assert found.public_body() == error.public_body()


def test_every_error_is_carried():
    """None is left out of the test above but the two that nobody raises."""

    def below(kind):
        return {kind, *(each for sub in kind.__subclasses__() for each in below(sub))}

    named = {kind for kind in below(SessionError) if kind.__module__ == SessionError.__module__}
    assert named - {type(error) for error in EVERY} == {SessionError, TokenError}
