"""Error trackers: an error raised at any depth of any flow shows no secret in the local variables of a traceback.

A trap raises at the n-th call of a function of ours, of botocore, urllib3 or json. It also looks at the frames of our public
methods while they run, as a tracker does that records the stack of a log line.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest

import cognito_session
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.manager import session
from managed.scene import ring
from signin.counter import Counter, Watching
from support.stack import PASSWORD

OURS = str(Path(cognito_session.__file__).parent)
THEIRS = tuple(f"{part}/" for part in ("botocore", "urllib3", "json"))
OTHER = "Other-Password-2!"
DEPTHS = {"libcurl": 20, "botocore": 8}
"""How many places of each flow are tried: botocore's calls are many and slow."""


class Trapped(Exception):
    """What the trap raises."""


class Trap:
    """Raises at the n-th call. With none it counts."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.count = 0

    def __call__(self, frame, event, _):
        if event != "call" or not _is_of_interest(frame.f_code.co_filename):
            return
        self.count += 1
        if self.count == self.at:
            raise Trapped

    def __enter__(self):
        threading.setprofile(self)
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)


def _is_of_interest(filename):
    if filename.endswith("wire_curl.py"):  # libcurl calls back into it: an error there is libcurl's to report
        return False
    return filename.startswith(OURS) or any(part in filename for part in THEIRS)


class Recording(Watching):
    """A user pool and a provider that remember the tokens that they gave."""

    def refresh(self, request):
        answer = self.provider.refresh(request)
        self._note(
            {"a": request.refresh_token, "b": getattr(answer, "access_token", ""), "c": getattr(answer, "refresh_token", "")}
        )
        return answer

    def __getattr__(self, name):
        return getattr(self.provider, name)


class PoolContext(Counter):
    """A counter whose secrets are known."""

    def __init__(self, app, **keywords):
        super().__init__(app, **keywords)
        self.pool = Recording(self.manager.ports.user_pool)
        self.pool.provider = self.manager.ports.provider
        self.manager.ports = self.manager.ports._replace(user_pool=self.pool, provider=self.pool)
        self.pool.secrets |= {PASSWORD, OTHER, "424242", ring(1).partition(".")[2]} | ({app.pool.client_secret} - {None})

    @property
    def secrets(self):
        return {text for text in self.pool.secrets | set(self.jar.values()) if text and len(text) > 5}


def variables(error):
    """(where, repr of the variables) of each frame of ours and of libraries, of the error and of what it came from."""
    seen, links, found = set(), [error], []
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        links += [link.__cause__, link.__context__]
        found.append(("args", repr(link.args) + str(link)))
        for frame, line in traceback.walk_tb(link.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                found += [(f"{frame.f_code.co_filename}:{line} {name}", repr(value)) for name, value in frame.f_locals.items()]
    return found


def leaks(error, secrets):
    """Where a secret, or the part of a token that is one, shows."""
    parts = {text[-40:] for text in secrets}
    return [where for where, text in variables(error) if any(part in text for part in parts)]


def sign_in(at):
    at.flows.sign_in(at.person.username, PASSWORD, cookie_header=at.cookies)


def register(at):
    at.flows.register("someone-new", PASSWORD, attributes={"email": "someone@example.com"})


def confirm_forgot_password(at):
    at.flows.confirm_forgot_password(at.person.username, "424242", OTHER)


def answer(at):
    at.flows.answer(at.cookies, "424242")


def change_password(at):
    at.flows.change_password(at.me, PASSWORD, OTHER)


def refresh(at):
    at.app.expire()
    at.manager.resolve(at.cookies)


def sign_out(at):
    at.manager.sign_out(at.cookies)


def establish(at):
    at.manager.establish(at.tokens, cookie_header=at.cookies)


FLOWS = [sign_in, register, confirm_forgot_password, answer, change_password, refresh, sign_out, establish]


@pytest.fixture(params=["libcurl", "botocore"])
def desk(app, request, monkeypatch):
    """A signed-in person at the desk, over each transport."""
    if request.param == "botocore":
        monkeypatch.setitem(sys.modules, "cognito_session.aws.transport.curl", None)
    made = PoolContext(app)
    made.depths = DEPTHS[request.param]
    made.person = app.user()
    made.me = made.sign_in(made.person.username).session
    made.tokens = app.sign_in(made.person)
    made.pool._note(made.tokens)
    return made


# A trap within urllib3's own clean-up leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("flow", FLOWS)
def test_an_error_at_any_depth_shows_no_secret(desk, flow):
    """Whatever fails wherever: no frame below the application's holds a password, code, token, key or client secret."""
    with Trap() as dry, suppress(SessionError):
        flow(desk)
    found, raised = [], 0
    for at in sorted(
        {2 + dry.count * step // desk.depths for step in range(desk.depths)}
    ):  # the first is the caller's own call
        with Trap(at):
            try:
                flow(desk)
            except (Trapped, SessionError) as error:
                caught = error
            else:
                continue
        raised += 1
        found += [(at, where) for where in leaks(caught, desk.secrets)]
    assert raised
    assert not found


def test_the_variables_of_running_methods_are_hidden(desk, monkeypatch):
    """What records the running stack, as trackers do at a log line or in an event hook, sees Secrets in our public methods."""
    seen = []
    begun = desk.pool.call

    def call(operation, payload):
        frame = sys._getframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(OURS):
                seen.extend((frame.f_code.co_qualname, repr(value)) for value in frame.f_locals.values())
            frame = frame.f_back
        return begun(operation, payload)

    monkeypatch.setattr(desk.pool, "call", call)
    sign_in(desk)
    confirm_forgot_password(desk)
    change_password(desk)
    assert seen
    assert not [where for where, text in seen if any(each in text for each in desk.secrets)]


def test_asynchronous_methods_forget_as_well(app):
    """A coroutine's frames, and those of the thread that carried its flow, hold no secret once it has failed."""
    at = PoolContext(app, asynchronous=True)

    def fail(*_):
        raise Trapped

    at.pool.call = fail
    with pytest.raises(Trapped) as caught:
        asyncio.run(at.flows.sign_in("someone", PASSWORD, cookie_header="a=b"))
    assert not leaks(caught.value, at.secrets)


def test_settings_that_are_refused_show_no_key(app):
    """A ConfigurationError of from_env has no variables that hold keys or the client secret."""
    canary = "canary-of-the-client-secret"
    with pytest.raises(ConfigurationError) as caught:
        app.manager(client_secret=canary, session_keys="1.canary-key", cookie="sealed")
    assert not leaks(caught.value, {canary, "1.canary-key"})


def test_the_environment_of_the_seeds_call_shows_no_key(monkeypatch):
    """An incomplete environment: session() raises a ConfigurationError without variables that hold its secrets."""
    secrets = {name: f"canary-of-{name}" for name in ("CLIENT_SECRET", "SESSION_KEYS", "AWS_SECRET_ACCESS_KEY")}
    monkeypatch.delenv("SESSION_TABLE", raising=False)
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        session("token", {"headers": {}})
    assert not leaks(caught.value, set(secrets.values()))
