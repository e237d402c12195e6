"""An unrecognized refusal: one call with a token that cannot exist tells the token's fault from the setup's."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.control_call import EVERY_SECONDS, impossible_token
from cognito_session.aws.refusal_messages import comparable_form
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.core.errors import ConfigurationError, ProviderUnavailable
from cognito_session.core.protocol.ports import NewTokens, RefreshDenied, RefreshRequest
from cognito_session.core.protocol.session import Reason, Refreshed, Rejected
from cognito_session.testing.clock import ManualClock
from support.stack import cookie_of, make_app

REAL = "HEADER.key.iv.text.tag"
CONTROL = "HEADER.AAA.AA.AAAA.AAA"
UNKNOWN = "unknown"
NEVER = "Invalid Refresh Token"
DEAD = RefreshDenied("dead", "NotAuthorizedException")
DOUBT = RefreshDenied("unknown", "NotAuthorizedException")


def refusal(message: str, code: str = "NotAuthorizedException", status: int = 400) -> ServiceError:
    """Cognito's refusal in these words."""
    return ServiceError("cognito-idp.X", code, status, message=message)


class Cognito:
    """A wire to a Cognito that refuses, or not, as `control` and `real` say: an answer or an error, or a list of them."""

    def __init__(self, *, real: Any, control: Any) -> None:
        self.real, self.control = real, control
        self.sent: list[str] = []
        self.operations: list[str] = []
        self.on_call = lambda: None

    def call(self, _service: str, operation: str, payload: dict[str, Any], **_: Any) -> dict[str, Any]:
        token = payload.get("RefreshToken") or payload["AuthParameters"]["REFRESH_TOKEN"]
        self.sent.append(token)
        self.operations.append(operation)
        self.on_call()
        answer = self.control if token == impossible_token(token) else self.real
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"AuthenticationResult": {"AccessToken": "at", "RefreshToken": "rt"}}


class PoolContext:
    """A provider on such a wire."""

    def __init__(self, *, real: Any, control: Any = None, secret: str | None = None) -> None:
        self.clock = ManualClock()
        self.wire = Cognito(real=real, control=control or refusal(NEVER))
        self.provider = CognitoProvider(
            lambda: self.wire, client_id="client-1", client_secret=ClientSecret(secret), clock=self.clock
        )

    def refresh(self, token: str = REAL, *, seconds: float = 2, device_key: str | None = None) -> Any:
        """One refresh; the error where it raises one."""
        before = self.clock.monotonic() + seconds
        try:
            return self.provider.refresh(RefreshRequest(token, "alice", device_key, before))
        except (ConfigurationError, ProviderUnavailable) as error:
            return error


def test_a_token_that_cannot_exist_looks_like_a_real_one():
    """The header stays, the rest is zeros of the same length; never the token itself, whatever its form."""
    assert impossible_token(REAL) == CONTROL
    assert impossible_token("opaque") == "AAAAAA"
    assert impossible_token("AAAA.AAAA") == "AAAA.AAAA"


@pytest.mark.parametrize("older", [False, True], ids=["GetTokensFromRefreshToken", "InitiateAuth"])
def test_the_same_words_are_the_operators(older):
    """Told as a ConfigurationError with Cognito's sentence, after two calls, the second the same but for the token."""
    desk = PoolContext(real=refusal("Flow forbidden"), control=refusal("Flow forbidden"), secret="s")
    desk.provider._initiate_auth_only = older
    answer = desk.refresh()
    assert isinstance(answer, ConfigurationError)
    assert "Flow forbidden" in str(answer)
    assert desk.wire.sent == [REAL, CONTROL]
    assert len(set(desk.wire.operations)) == 1


def test_other_words_are_the_tokens():
    """The token is dead once it has been refused again, after the experiment, in the same words."""
    desk = PoolContext(real=refusal("Token was withdrawn"))
    assert desk.refresh() == DEAD
    assert desk.wire.sent == [REAL, CONTROL, REAL]


@pytest.mark.parametrize("real", ["Withdrawn", "Forbidden"])
def test_one_experiment_in_a_quarter_of_an_hour(real):
    """Of a hundred refused sessions each is told the same, and one control call is made; then there is another."""
    desk = PoolContext(real=refusal(real), control=refusal("Forbidden"))
    for _ in range(2):
        answers = [desk.refresh(f"{REAL}{n}") for n in range(100)]
        kinds = {type(answer) for answer in answers}
        assert kinds == ({ConfigurationError} if real == "Forbidden" else {RefreshDenied})
        assert real == "Forbidden" or set(answers) == {DEAD}
        assert sum(token == impossible_token(token) for token in desk.wire.sent) == 1
        desk.clock.advance(EVERY_SECONDS + (0 if real == "Withdrawn" else 24 * 3600))
        desk.wire.sent.clear()


@pytest.mark.parametrize(
    "ids", [("for client client-1", "for client client-1"), ("(trace 7f3-a)", "(trace 9b2-c)"), ("for alice", "for client-1")]
)
def test_ids_in_a_sentence_do_not_make_it_another(ids):
    """Ids of clients and requests, and the user's own name, are no words."""
    desk = PoolContext(real=refusal(f"Not allowed {ids[0]}"), control=refusal(f"Not allowed {ids[1]}"))
    assert isinstance(desk.refresh(), ConfigurationError)
    assert comparable_form("Secret-Hash, not here!") == comparable_form("secrethash not HERE")


FAILING = [
    AnswerLost("x"),
    refusal("", "TooManyRequestsException"),
    refusal("", "InternalErrorException", 500),
    refusal("", "HTTP503", 503),
    refusal("", "InvalidParameterException"),
    {"AuthenticationResult": {"AccessToken": "at"}},
]


@pytest.mark.parametrize("control", FAILING, ids=lambda control: getattr(control, "code", type(control).__name__))
def test_an_experiment_that_fails_concludes_nothing(control):
    """Lost, throttled, broken or answered with another code: no verdict, and no second experiment before its time."""
    desk = PoolContext(real=refusal("Withdrawn"), control=control)
    for _ in range(3):
        assert desk.refresh() == DOUBT
        desk.clock.advance(200)
    assert desk.wire.sent.count(CONTROL) == 1


@pytest.mark.parametrize(
    ("control", "words"),
    [("Withdrawn\nby us", "the same message"), (NEVER, "another message"), (None, "no such refusal")],
)
def test_an_experiment_writes_one_line(caplog, control, words):
    """Cognito's code and sentence, and what the control call brought, once however many sessions are refused; no token."""
    desk = PoolContext(real=refusal("Withdrawn\nby us"), control=AnswerLost("x") if control is None else refusal(control))
    for number in range(5):
        desk.refresh(f"HEADER.{number}")
    (line,) = [record.getMessage() for record in caplog.records]
    assert words in line
    assert "NotAuthorizedException: Withdrawn by us" in line
    assert "HEADER" not in line


def test_an_experiment_that_never_left_may_be_made_again():
    """Connection refused: it was not made."""
    desk = PoolContext(real=refusal("Withdrawn"), control=[NotSent("x"), refusal(NEVER)])
    assert desk.refresh() == DOUBT
    assert desk.refresh() == DEAD


def test_an_experiment_that_speaks_of_the_secret():
    """The control call alone is told about the secret: the operator's."""
    desk = PoolContext(real=refusal("Forbidden"), control=refusal("Unable to verify secret hash for client client-1"))
    assert "CLIENT_SECRET" in str(desk.refresh())


@pytest.mark.parametrize(("seconds", "sent"), [(5.6, [REAL]), (2.1, [REAL, CONTROL])])
def test_experiments_end_before_the_lease(seconds, sent):
    """With the lease nearly over no experiment is made, and no second call; nothing is concluded."""
    desk = PoolContext(real=refusal("Withdrawn"))
    desk.wire.on_call = lambda: desk.clock.advance(seconds if len(desk.wire.sent) == 1 else 0)
    assert desk.refresh() == DOUBT
    assert desk.wire.sent == sent


def test_a_remembered_device_makes_an_invalid_token_no_experiment():
    """A token that cannot exist is refused in the same words: nothing would be learnt."""
    desk = PoolContext(real=refusal(NEVER))
    assert "device" in str(desk.refresh(device_key="d"))
    assert desk.wire.sent == [REAL]


# --- the operator's fault ends no session, whenever it begins and ends


@pytest.mark.parametrize(("began", "ended"), [(a, b) for a, b in product(range(6), range(7)) if a < b])
@pytest.mark.parametrize("words", ["Forbidden", "Withdrawn"])
@pytest.mark.parametrize("dead_before", [False, True])
def test_a_fault_that_begins_and_ends_at_any_call(began, ended, words, dead_before):
    """Of three living sessions none is called dead, whichever calls of the provider fall into the fault."""
    desk = PoolContext(real=None)
    if dead_before:
        desk.wire.real = refusal("Withdrawn")
        assert desk.refresh("HEADER.dead") == DEAD
        if words == "Withdrawn":  # the fault speaks like the refusal of one token: only a new experiment can tell
            desk.clock.advance(EVERY_SECONDS)
        desk.wire.sent.clear()

    def faulty():
        now = began < len(desk.wire.sent) <= ended
        desk.wire.real = refusal(words) if now else None
        desk.wire.control = refusal(words if now else NEVER)

    desk.wire.on_call = faulty
    for number in range(3):
        for _ in range(3):
            assert desk.refresh(f"HEADER.{number}") != DEAD


def test_a_fault_that_begins_after_the_experiment():
    """Another sentence than the one that was tested concludes nothing until the next experiment, which tells whose it is."""
    desk = PoolContext(real=refusal("Withdrawn"))
    assert desk.refresh() == DEAD
    desk.wire.real = desk.wire.control = refusal("Forbidden")
    assert {desk.refresh(f"HEADER.{n}") for n in range(20)} == {DOUBT}
    desk.clock.advance(EVERY_SECONDS)
    assert isinstance(desk.refresh(), ConfigurationError)


def test_a_fault_that_is_being_repaired():
    """While some of Cognito's servers still refuse everything, what was the operator's sentence calls no token dead."""
    desk = PoolContext(real=refusal("Forbidden"), control=refusal("Forbidden"))
    assert isinstance(desk.refresh(), ConfigurationError)
    desk.clock.advance(EVERY_SECONDS)
    desk.wire.control = refusal(NEVER)
    assert isinstance(desk.refresh(), ConfigurationError)


# --- the whole way, on the stack


FAMILY = (
    "SecretHash does not match for the client: 1example",
    "Unable to verify secret hash for client 1example",
    "Client 1example is configured with secret but SECRET_HASH was not received",
    "A sentence of next year",
)


@pytest.mark.parametrize("message", FAMILY)
def test_no_session_is_rejected_for_what_is_the_operators(stack, message):
    """Refused for hours in any words: a 500 each time; repaired, the session goes on."""
    app = make_app(stack, rotation_grace_seconds=60)
    manager, user = app.manager(), app.user()
    cookie = cookie_of(manager.establish(app.sign_in(user)))
    stack.advance(3601)
    stack.refuse("GetTokensFromRefreshToken", "NotAuthorizedException", message, times=None)
    for _ in range(8):
        with pytest.raises(ConfigurationError):
            manager.resolve(cookie)
        stack.advance(1200)
    stack.clear_faults()
    assert isinstance(manager.resolve(cookie), Refreshed)


def test_a_dead_token_in_words_of_next_year(stack):
    """A revoked token with an unknown refusal: the control call proves it, and the session ends."""
    app = make_app(stack, rotation_grace_seconds=60)
    manager, user = app.manager(), app.user()
    tokens = app.sign_in(user)
    cookie = cookie_of(manager.establish(tokens))
    stack.set_rules(words={"revoked": "This token was withdrawn"})
    stack.revoke(app.pool, tokens["RefreshToken"])
    stack.advance(3601)
    assert manager.resolve(cookie) == Rejected(Reason.REFRESH_DENIED)
    assert manager.resolve(cookie) == Rejected(Reason.SESSION_ENDED)
    assert stack.count("GetTokensFromRefreshToken") == 3


def test_a_token_is_served_that_was_refused_while_the_fault_ended():
    """Repaired between the two calls: the second one brings the new tokens."""
    desk = PoolContext(real=[refusal("Forbidden"), None])
    assert desk.refresh() == NewTokens("at", "rt")
