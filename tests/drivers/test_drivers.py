"""Both drivers answer the same steps alike; the asynchronous one lets nothing cancel a refresh that has begun."""

from __future__ import annotations

import asyncio
import threading
import traceback

import pytest

from cognito_session.core.errors import ProviderUnavailable, StoreUnavailable
from cognito_session.core.protocol.ports import TOO_LATE, RefreshRequest
from cognito_session.core.protocol.record import SessionKey
from cognito_session.core.protocol.steps import Invoke, Keys, Load, Refresh, Report, Sleep, Step, ask
from cognito_session.drivers import aio, sync
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.memory_store import MemoryStore

KEY = SessionKey("user", "sid")


class Provider:
    def __init__(self):
        self.requests = []

    def refresh(self, request):
        self.requests.append(request)
        return "tokens"

    def revoke(self, refresh_token):
        self.requests.append(refresh_token)


def ports(**more):
    clock = ManualClock(now=1_700_000_000)
    made = sync.Ports(MemoryStore(), Provider(), None, clock, clock.advance)
    return made._replace(**more)


def both(flow_function, given):
    """The flow's result by either driver."""
    yield sync.run(flow_function(), given)
    yield asyncio.run(aio.run(flow_function(), given))


def test_answers_are_sent_in_and_the_result_comes_out():
    """A step's answer reaches the flow; what the flow returns is the driver's result."""

    def flow():
        row = yield from ask(Load(KEY))
        yield from ask(Sleep(0.0))
        return ("row", row)

    assert list(both(flow, ports())) == [("row", None)] * 2


def test_faults_are_thrown_in_at_the_yield():
    """The flow may catch a port's exception and go on."""

    class Broken(MemoryStore):
        def load(self, key):
            raise StoreUnavailable("down")

    def flow():
        try:
            yield from ask(Load(KEY))
        except StoreUnavailable:
            return "caught"

    assert list(both(flow, ports(store=Broken()))) == ["caught"] * 2


def test_what_the_flow_does_not_catch_reaches_the_caller():
    """A bug in a port stays a bug."""

    class Buggy(MemoryStore):
        def load(self, key):
            raise KeyError("bug")

    def flow():
        return (yield from ask(Load(KEY)))

    with pytest.raises(KeyError):
        sync.run(flow(), ports(store=Buggy()))
    with pytest.raises(KeyError):
        asyncio.run(aio.run(flow(), ports(store=Buggy())))


def test_a_refresh_is_not_sent_after_its_instant():
    """The clock is asked again in the thread that sends, and nothing leaves."""
    given = ports()

    def flow():
        try:
            yield from ask(Refresh(RefreshRequest("rt", None, None, send_before=given.clock.monotonic() - 0.001)))
        except ProviderUnavailable as fault:
            return fault.reason, fault.sent, str(fault)

    assert list(both(flow, given)) == [(TOO_LATE, False, "the lease is nearly over: not sent")] * 2
    assert given.provider.requests == []


def test_an_observers_failure_changes_nothing(caplog):
    """on_event may raise; it is logged and the flow goes on."""

    def hook(event):
        raise RuntimeError("observer")

    def flow():
        yield from ask(Report("event", "user", None))
        return "done"

    assert list(both(flow, ports(on_event=hook))) == ["done"] * 2
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("cognito_session", "on_event failed for event")
    ] * 2
    assert "RuntimeError: observer" in caplog.text


def test_an_unknown_step_is_refused():
    """A step that no driver knows is a programming error, not a silent None."""

    class Odd(Step):
        pass

    def flow():
        yield Odd()

    with pytest.raises(TypeError, match="Odd"):
        sync.run(flow(), ports())


async def test_cancelling_the_request_does_not_stop_its_running_segment():
    """Cancelled while the provider is answering: the flow goes on to its end in its thread."""
    answering, release, ended = threading.Event(), threading.Event(), threading.Event()

    class Slow(Provider):
        def refresh(self, request):
            answering.set()
            assert release.wait(10)
            return "tokens"

    def flow():
        tokens = yield from ask(Refresh(RefreshRequest("rt", None, None, send_before=1e12)))
        yield from ask(Sleep(0.0, holding=True))
        assert tokens == "tokens"
        ended.set()

    task = asyncio.create_task(aio.run(flow(), ports(provider=Slow())))
    await asyncio.to_thread(answering.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await asyncio.to_thread(ended.wait, 10)


@pytest.mark.parametrize("driver", [sync.run, lambda flow, ports: asyncio.run(aio.run(flow, ports))], ids=["sync", "async"])
def test_an_error_that_leaves_a_driver_has_no_variables(driver):
    """Adapters run flows by the drivers: the frames of a failed flow and of its calls hold nothing any more."""

    def send(password):
        raise RuntimeError(len(password))

    def flow():
        token = "canary-token"
        yield from ask(Invoke(lambda: send(token)))

    with pytest.raises(RuntimeError) as caught:
        driver(flow(), ports())
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb) if frame.f_code.co_name in ("flow", "send")]
    assert len(frames) == 2
    assert [frame.f_locals for frame in frames] == [{}, {}]


class PlainKeys:
    """A key source that says how it was asked."""

    def keys(self, missing_kid):
        return ("keys", missing_kid)


class AnswerKeys(PlainKeys):
    """One that may fetch sooner for a token that came from Cognito itself."""

    def keys_of_answer(self, missing_kid):
        return ("keys_of_answer", missing_kid)


@pytest.mark.parametrize(
    ("source", "step", "answer"),
    [
        (AnswerKeys(), Keys("k", from_cognito=True), ("keys_of_answer", "k")),
        (AnswerKeys(), Keys("k"), ("keys", "k")),
        (AnswerKeys(), Keys(from_cognito=True), ("keys", None)),
        (AnswerKeys(), Keys(), ("keys", None)),
        (PlainKeys(), Keys("k", from_cognito=True), ("keys", "k")),
    ],
)
def test_only_a_token_from_cognito_fetches_keys_sooner(source, step, answer):
    """A stranger's key id never does, and a source without the second method is asked by the first."""

    def flow():
        return (yield from ask(step))

    assert list(both(flow, ports(keys=source))) == [answer] * 2


async def test_a_pause_lets_other_tasks_run():
    """An ordinary pause is awaited; one that holds a token is slept in the thread, where nothing cancels it."""
    awaited, slept = [], []

    async def pause(seconds):
        awaited.append(seconds)

    def flow():
        yield from ask(Sleep(0.25))
        yield from ask(Sleep(0.5, holding=True))

    await aio.run(flow(), ports(pause=pause, sleep=slept.append))
    assert (awaited, slept) == ([0.25], [0.5])


def test_what_the_application_was_handling_keeps_its_variables():
    """A flow that fails while the application handles an error of its own clears nothing of that error."""

    def application(order):
        raise KeyError(len(order))

    def flow():
        raise RuntimeError("failed")
        yield

    try:
        application("order-1234567")
    except KeyError as theirs:
        with pytest.raises(RuntimeError):
            sync.run(flow(), ports())
        (frame,) = [frame for frame, _ in traceback.walk_tb(theirs.__traceback__) if frame.f_code.co_name == "application"]
        assert frame.f_locals == {"order": "order-1234567"}
