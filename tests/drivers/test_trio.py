"""The asynchronous driver under trio: the same answers, and nothing cancels a segment that has begun."""

from __future__ import annotations

import threading

import pytest
import trio

from cognito_session.core.errors import StoreUnavailable
from cognito_session.core.protocol.record import SessionKey
from cognito_session.core.protocol.steps import Invoke, Load, Report, Sleep, ask
from cognito_session.drivers import aio, alarms
from cognito_session.drivers.notices import Notices
from cognito_session.testing.memory_store import MemoryStore
from drivers.test_drivers import ports
from drivers.test_notices import denied

KEY = SessionKey("user", "sid")


def test_a_flow_is_answered_under_trio():
    """Each step of it, by a thread that is not the loop's; a pause is awaited on the loop."""
    paused, loop = [], []

    async def pause(seconds):
        paused.append((seconds, threading.current_thread() is loop[0]))

    def flow():
        before = yield from ask(Load(KEY))
        yield from ask(Sleep(0.25))
        return before, (yield from ask(Invoke(threading.current_thread)))

    async def served():
        loop.append(threading.current_thread())
        return await aio.run(flow(), ports(pause=pause))

    before, worker = trio.run(served)
    assert before is None
    assert worker is not loop[0]
    assert paused == [(0.25, True)]


def test_whose_loop_it_is():
    """True in a task of trio; False outside of it, also once trio has been imported, and under asyncio."""

    async def asked():
        return aio.is_under_trio()

    assert trio.run(asked) is True
    assert aio.is_under_trio() is False
    import asyncio

    assert asyncio.run(asked()) is False


def test_faults_of_a_flow_are_collected_under_trio(caplog):
    """A 503 of the flow's own has a line with the code of the fault before it, as under asyncio."""

    class Broken(MemoryStore):
        def load(self, key):
            raise denied()

    def flow():
        try:
            yield from ask(Load(KEY))
        except StoreUnavailable:
            yield from ask(Sleep(0.0))
            raise StoreUnavailable("given up") from None

    async def served():
        with pytest.raises(StoreUnavailable):
            await aio.run(flow(), ports(store=Broken(), notices=Notices()))

    trio.run(served)
    assert "given up; code ExpiredTokenException" in caplog.text


def test_a_cancelled_request_does_not_wait_for_its_segment_under_trio():
    """The client has gone: its task ends at once, and the segment runs to its end in its thread."""
    working, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work():
        working.set()
        release.wait(10)
        ended.set()

    def flow():
        yield from ask(Invoke(work))

    async def served():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(aio.run, flow(), ports())
            await trio.to_thread.run_sync(working.wait, 10)
            nursery.cancel_scope.cancel()
        return ended.is_set()

    assert trio.run(served) is False
    release.set()
    assert ended.wait(10)


def test_a_hook_under_trio_runs_beside_the_loop():
    """It may take its time: trio's loop goes on."""
    told = threading.Event()
    by = []

    def hook(event):
        by.append(threading.current_thread())
        told.set()

    async def served():
        alarms.raise_alarm(Report("access_denied", "sub", "sid", limited=True), ports(on_event=hook))
        assert await trio.to_thread.run_sync(told.wait, 10)
        return threading.current_thread()

    loop = trio.run(served)
    assert by != [loop]
