"""Forks: a process that has used the library forks, and parent and children go on using it at once.

Without care they would share connections, and one would read the answer to the other's question: another user's row.
"""

from __future__ import annotations

import json

import pytest

from support.stack import Program, cookie_of, make_app, programs

FORKS = 20

FORKING = """
import json, os, sys, threading, warnings
warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # Python 3.12 advises against what is tested here
clock_path, kind, driver = sys.argv[1:4]
if kind == "botocore":
    sys.modules["pycurl"] = None
import asyncio
from cognito_session import Active, AsyncSessionManager, SessionManager
from cognito_session.testing.clock import SharedClock

people = [tuple(each) for each in json.loads(sys.stdin.readline())]
settings = dict(cookie="token", cookie_name="token", clock=SharedClock(clock_path))
sync, aio = SessionManager.from_env(**settings), AsyncSessionManager.from_env(**settings)

def resolve(cookie):
    return sync.resolve(cookie) if driver == "sync" else asyncio.run(aio.resolve(cookie))

def asks(person, times):
    cookie, sub = person
    for _ in range(times):
        outcome = resolve(cookie)
        if not isinstance(outcome, Active): raise RuntimeError(f"refused: {outcome}")
        if outcome.session.sub != sub: raise RuntimeError(f"{sub} was answered with {outcome.session.sub}")

parent, *others = people
asks(parent, 3)
stop, broken = threading.Event(), []

def busy():
    try:
        while not stop.is_set(): asks(parent, 1)
    except BaseException as error:
        broken.append(repr(error))

threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads: thread.start()
children = []
for person in others:
    child = os.fork()
    if not child:
        code = 1
        try:
            __import__("signal").alarm(15)
            asks(person, 5)
            code = 0
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    children.append(child)
    asks(parent, 2)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
asks(parent, 3)
stop.set()
for thread in threads: thread.join(10)
print(json.dumps([codes, broken, [thread.is_alive() for thread in threads]]), flush=True)
"""


@pytest.fixture(scope="module")
def crowd():
    """Signed-in people, made once for the module's tests: cookies and the users they are for."""
    return {}


def people(stack, crowd):
    """An app, its parent process's user, and one user more for each fork."""
    if not crowd:
        app = make_app(stack)
        manager = app.manager()
        users = [app.user() for _ in range(FORKS + 1)]
        crowd["app"] = app
        crowd["people"] = [[cookie_of(manager.establish(app.sign_in(user))), user.sub] for user in users]
    return crowd["app"], crowd["people"]


@pytest.mark.parametrize(("kind", "driver"), [("curl", "sync"), ("curl", "async"), ("botocore", "sync")])
def test_nobody_gets_anothers_answer(stack, crowd, kind, driver):
    """Twenty forks among busy threads, all asking at once for users of their own: no answer mixed up, no hang."""
    app, everybody = people(stack, crowd)
    arguments = (str(stack.clock_path), kind, driver)
    with programs([Program(FORKING, *arguments, environment=app.environment, seconds=45)]) as (program,):
        program.tell(json.dumps(everybody))
        codes, broken, alive = json.loads(program.finish())
    assert codes == [0] * FORKS
    assert broken == []
    assert not any(alive)
