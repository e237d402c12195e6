"""The lines in the log: what went wrong, with AWS's words, once a minute for each reason, and no secret."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from cognito_session.aws.transport.interface import ServiceError
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    LeaseBusy,
    ProviderUnavailable,
    SessionRequired,
    SessionUnavailable,
    StoreUnavailable,
)
from cognito_session.core.protocol.steps import Load, Report, Revoke, Sleep, ask
from cognito_session.drivers import aio, sync
from cognito_session.drivers.notices import Notices
from cognito_session.testing.clock import ManualClock

TOKEN = "eyJ" + "a" * 200


def denied(code="ExpiredTokenException", message="The security token included in the request is expired"):
    """A store's fault with AWS's answer as its cause."""
    error = StoreUnavailable("DynamoDB refuses this role's credentials")
    error.__cause__ = ServiceError("dynamodb.GetItem", code, 400, message=message, request_id="REQ-1")
    return error


class Broken:
    """Ports whose store and provider raise `fault`."""

    def __init__(self, fault):
        self.fault = fault

    def load(self, _key):
        raise self.fault

    revoke = load


@pytest.fixture(params=[sync.run, lambda flow, ports: asyncio.run(aio.run(flow, ports))], ids=["sync", "async"])
def world(request, caplog):
    """A driver, ports whose calls fail, and the lines of the log."""
    caplog.set_level(logging.DEBUG, logger="cognito_session")

    class World:
        clock = ManualClock(now=1_700_000_000)
        notices = Notices()

        def run(self, flow, fault=None):
            broken = Broken(fault)
            ports = sync.Ports(broken, broken, None, self.clock, self.clock.advance, notices=self.notices)
            return request.param(flow, ports)

        def fails(self, flow, fault=None):
            with pytest.raises(Exception):  # noqa: B017 - which one is the flow's matter
                self.run(flow, fault)

        @property
        def lines(self):
            return [record.getMessage() for record in caplog.records if record.name == "cognito_session"]

    return World()


def looked():
    """A flow that needs a row."""
    yield from ask(Load("key"))


def coping():
    """A flow that goes on without."""
    try:
        yield from ask(Load("key"))
    except (SessionUnavailable, ConfigurationError):
        return "served"


def raising(error):
    """A flow that gives up by itself."""
    yield from ask(Sleep(0))
    raise error


def reporting(event, detail="", *, revoking=False):
    """A flow that reports, after a refused call or not."""
    if revoking:
        with contextlib.suppress(SessionUnavailable, ConfigurationError):
            yield from ask(Revoke("token"))
    yield from ask(Report(event, "sub-1", "sid-1", detail))


def test_a_503_is_a_line_with_aws_words(world):
    """Reason, message, code, sentence and request id of AWS stand in one line."""
    world.fails(looked(), denied())
    (line,) = world.lines
    assert line == (
        "store_unavailable: 503: DynamoDB refuses this role's credentials; code ExpiredTokenException;"
        " AWS: The security token included in the request is expired; request id REQ-1"
    )


def test_a_503_of_the_flow_has_the_fault_that_led_to_it(world):
    """A flow that gives up with an error of its own: the last fault's code is told."""

    def giving_up():
        try:
            yield from ask(Load("key"))
        except SessionUnavailable:
            raise LeaseBusy("patience is over") from None

    world.fails(giving_up(), denied())
    (line,) = world.lines
    assert line.startswith("lease_busy: 503: patience is over; code ExpiredTokenException")


@pytest.mark.parametrize(
    "error", [LeaseBusy("busy"), KeysUnavailable("no keys"), SessionUnavailable("x", reason="function_timeout")]
)
def test_every_503_has_a_line(world, error):
    """Also one that no call to AWS has caused."""
    world.fails(raising(error))
    (line,) = world.lines
    assert line == f"{error.reason}: 503: {error}"


def test_at_most_one_line_a_minute_and_the_others_counted(world):
    """Ten failures are one line; the first after a minute says that nine were left out; another code has its own line."""
    for _ in range(10):
        world.fails(looked(), denied())
    assert len(world.lines) == 1
    world.fails(looked(), denied(code="AccessDeniedException"))
    assert len(world.lines) == 2
    world.clock.advance(60)
    world.fails(looked(), denied())
    assert world.lines[2].endswith("(9 more like it were not logged)")
    world.clock.advance(60)
    world.fails(looked(), denied())
    assert "more like it" not in world.lines[3]


def test_a_clock_that_was_set_back_silences_nothing(world):
    """A wall clock may be corrected: a line from the future does not suppress others for hours."""
    world.fails(looked(), denied())
    world.clock = ManualClock(now=1_700_000_000 - 7200)
    world.fails(looked(), denied())
    assert len(world.lines) == 2


def test_a_fault_that_was_coped_with_is_told_too(world):
    """Served in spite of a fault: nobody else would tell the operator."""
    assert world.run(coping(), denied()) == "served"
    (line,) = world.lines
    assert line.startswith("store_unavailable: the request was answered all the same")
    assert "ExpiredTokenException" in line


def test_reuse_is_told(world):
    """A cookie that was used after its time: event, user and session."""
    world.run(reporting("reuse"))
    assert world.lines == ["reuse, user sub-1, session sid-1"]


@pytest.mark.parametrize("error", [ConfigurationError("no right to revoke"), ProviderUnavailable("throttled")])
def test_a_refused_control_call_is_one_line(world, error):
    """A revocation that Cognito refuses: one line with the event and Cognito's code, not a second one for the fault."""
    error.__cause__ = ServiceError("cognito-idp.RevokeToken", "AccessDeniedException", 400, message="not yours", request_id="R")
    world.run(reporting("revoke_failed", revoking=True), error)
    assert world.lines == ["revoke_failed, user sub-1, session sid-1: code AccessDeniedException; AWS: not yours; request id R"]


def test_a_refusal_by_aws_that_is_raised(world):
    """A ConfigurationError that comes from a call has its line; one of the flow's own is the caller's to see."""
    error = ConfigurationError("the role may not read")
    world.fails(looked(), error)
    world.fails(raising(ConfigurationError("keys are missing")))
    assert world.lines == ["configuration: 500: the role may not read"]


@pytest.mark.parametrize("event", ["established", "ended"])
def test_routine_is_no_line(world, event):
    """A session that begins or ends is no fault, and a denial is none either."""
    world.run(reporting(event))
    world.fails(raising(SessionRequired("no cookie")))
    assert world.lines == []


@pytest.mark.parametrize(
    "message",
    [
        f"Invalid token {TOKEN}",
        "1 validation error detected: Value 'hunter2hunter2' at 'password' failed to satisfy constraint",
        f"two\r\nlines\x1b[2J {TOKEN}",
    ],
)
def test_no_secret_and_one_line(world, message):
    """What AWS quotes of a request, tokens and line ends do not get into the log."""
    world.fails(looked(), denied(message=message))
    world.run(reporting("sign_in_refused", message))
    assert len(world.lines) == 2
    for line in world.lines:
        assert TOKEN not in line
        assert "hunter2" not in line
        assert line.isprintable()


def test_many_reasons_do_not_fill_the_memory(world):
    """What is remembered is bounded, whatever codes come."""
    for number in range(1_000):
        world.fails(looked(), denied(code=f"Code{number}"))
    assert len(world.notices._told) <= 200


class Hidden(SessionUnavailable):
    """An error whose code and words are not texts."""

    code = 5
    message = None


def test_what_aws_said_is_told_from_the_depth_of_the_causes(world):
    """The code ten causes down is found, one eleven down is not; a code that is no text is none."""
    for depth, found in ((9, True), (10, False)):
        fault = inner = StoreUnavailable(f"depth {depth}", reason=f"depth_{depth}")
        for _ in range(depth - 1):
            inner.__cause__ = StoreUnavailable("between")
            inner = inner.__cause__
        inner.__cause__ = ServiceError("dynamodb.GetItem", "TheCode", 400, message="The sentence", request_id="REQ-1")
        world.fails(looked(), fault)
        assert world.lines[-1] == f"depth_{depth}: 503: depth {depth}" + (
            "; code TheCode; AWS: The sentence; request id REQ-1" if found else ""
        )
    world.fails(looked(), Hidden("hidden"))
    assert world.lines[-1] == "unavailable: 503: hidden"


class Coded(SessionUnavailable):
    """An error with a code alone."""

    default_reason = "coded"
    code = "TheCode"


def test_a_code_without_a_sentence_has_no_empty_parts(world):
    """Sentence and request id are left out where there are none."""
    world.fails(looked(), Coded("down"))
    assert world.lines == ["coded: 503: down; code TheCode"]


def test_a_line_has_a_length(world):
    """A thousand characters, then three dots; what cannot be printed is a blank."""
    world.fails(looked(), StoreUnavailable("a\nb" + "c " * 488, reason="r"))
    assert world.lines[-1] == "r: 503: a b" + "c " * 488
    assert len(world.lines[-1]) == 987
    for length, shown in ((1_000, "e" * 0), (1_001, "...")):
        head = f"x{length}: 503: "
        text = ("d " * 600)[: length - len(head)]
        world.fails(looked(), StoreUnavailable(text, reason=f"x{length}"))
        assert world.lines[-1] == (head + text)[:1_000] + shown


def test_two_hundred_reasons_are_remembered(world):
    """The two hundred and first begins again, so that the first is told again within its minute."""
    for number in range(199):
        world.fails(looked(), StoreUnavailable("x", reason=f"r{number}"))
    world.fails(looked(), StoreUnavailable("x", reason="r0"))
    assert len(world.lines) == 199
    for number in (199, 200):
        world.fails(looked(), StoreUnavailable("x", reason=f"r{number}"))
    world.fails(looked(), StoreUnavailable("x", reason="r0"))
    assert len(world.lines) == 202
    assert len(world.notices._told) == 2


def test_an_error_of_the_caller_s_own_is_no_line(world):
    """A configuration error that no port raised is the caller's to see, and so is any error that is no outage."""
    world.fails(raising(ConfigurationError("CLIENT_ID: not set")))
    world.fails(raising(SessionRequired("no")))
    fault = ValueError("a bug")
    world.fails(looked(), fault)
    assert world.lines == []


def test_what_is_told_of_an_event(world):
    """Name, user, session and detail; the line is the whole of it."""
    world.run(reporting("reuse"))
    world.run(reporting("commit_failed", "throttled"))
    assert world.lines == [
        "reuse, user sub-1, session sid-1",
        "commit_failed, user sub-1, session sid-1: throttled",
    ]


def test_an_event_has_the_words_of_the_last_refusal_alone(world):
    """A flow that met two refusals tells of the call that led to the event."""
    error = ConfigurationError("the first")
    error.__cause__ = ServiceError("dynamodb.GetItem", "FirstCode", 400, message="first", request_id="R1")
    last = ProviderUnavailable("the last")
    world.notices.tell_event(Report("revoke_failed", "sub-1", None), [error, last], world.clock.now())
    last.__cause__ = ServiceError("cognito-idp.RevokeToken", "LastCode", 400, message="last", request_id="R2")
    world.notices.tell_event(Report("revoke_failed", "sub-1", None), [error, last], world.clock.now())
    assert world.lines == [
        "revoke_failed, user sub-1",
        "revoke_failed, user sub-1: code LastCode; AWS: last; request id R2",
    ]


def test_each_code_of_an_event_has_a_line(world):
    """Within one minute: another code is another cause, and the same one is counted."""
    for code in ("AccessDeniedException", "ThrottlingException", "AccessDeniedException"):
        fault = ProviderUnavailable("refused")
        fault.__cause__ = ServiceError("cognito-idp.RevokeToken", code, 400, message="no", request_id="R")
        world.notices.tell_event(Report("revoke_failed", "sub-1", None), [fault], world.clock.now())
    assert [line.partition("code ")[2].partition(";")[0] for line in world.lines] == [
        "AccessDeniedException",
        "ThrottlingException",
    ]


def test_a_line_that_another_part_writes_is_due_once_a_minute(world):
    """Of each subject by itself, and not while the notices have just written one about it."""
    now = world.clock.now()
    assert [world.notices.is_due(what, now) for what in ("preflight", "other", "preflight")] == [True, True, False]
    assert world.notices.is_due("preflight", now + 60)
    world.notices.tell_event(Report("reuse", "sub-1", None), [], now)
    assert not world.notices.is_due("reuse", now)
