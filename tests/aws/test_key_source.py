"""CognitoKeySource: how often the key set is fetched, and what verifies while it cannot be."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from copy import deepcopy
from urllib.request import urlopen
from uuid import uuid4

import pytest

from aws.echo_server import EchoServer
from cognito_session import Active, SessionPolicy
from cognito_session.aws.jwks import CognitoKeySource
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError, KeysUnavailable
from cognito_session.testing.clock import ManualClock
from support.stack import eventually, in_thread, joined, make_app, make_pool, shared_stack

THREADS = 64


@pytest.fixture(scope="module")
def wire(request):
    """The wire to it."""
    return open_wire(environ=shared_stack(request.config).environment())


@pytest.fixture
def pool(stack):
    """A user pool with a key."""
    return make_pool(stack)


@pytest.fixture
def source(pool, wire, clock):
    """A cold key source of the pool."""
    return CognitoKeySource(lambda: wire, url=pool.jwks_url, clock=clock)


@pytest.fixture
def kid(stack, pool):
    """The id of the pool's signing key; looking it up is not counted."""
    with urlopen(pool.jwks_url, timeout=5) as answer:
        found = json.load(answer)["keys"][0]["kid"]
    stack.clear_calls()
    return found


class Publisher:
    """A server on which this test publishes key sets, and a source that reads them."""

    def __init__(self, server, issuer, clock):
        self.server = server
        self.issuer = issuer
        self.clock = clock
        environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
        wire = open_wire(environ={**environ, "AWS_ENDPOINT_URL": server.url})
        self.source = CognitoKeySource(lambda: wire, url=f"{server.url}/keys.json", clock=clock)

    def publish(self, *kids):
        """Answer the next fetch with keys of these ids."""
        document = {"keys": [self.issuer.jwk(kid=kid) for kid in kids]}
        self.server.plan.append((200, json.dumps(document).encode(), {}))

    def knows(self, kid):
        """Whether the source finds a key of this id."""
        return self.source.keys(kid).find(kid) is not None

    @property
    def fetches(self):
        """How many documents were asked for."""
        return len(self.server.requests)


@pytest.fixture
def publisher(issuer, clock):
    """A server of key sets; what is not published is the word "document", which is no key set."""
    server = EchoServer()
    yield Publisher(server, issuer, clock)
    server.stop()


def test_the_first_request_fetches(stack, source, kid):
    """Nothing is fetched before it is needed; then one document serves all that follow."""
    assert stack.count("jwks") == 0
    keys = source.keys(None)
    assert keys.find(kid) is not None
    assert source.keys(kid) is source.keys(None) is keys
    assert stack.count("jwks") == 1


def test_a_cold_start_of_many_threads_is_one_fetch(stack, source):
    """64 threads that need keys at once share one fetch, however long it takes."""
    with stack.gate("jwks") as gate:
        waiting = [in_thread(source.keys, None) for _ in range(THREADS)]
        gate.wait_for(1)
        assert not any(call.outcome for call in waiting)
    found = joined(waiting)
    assert all(keys is found[0] and keys.keys for keys in found)
    assert stack.count("jwks") == 1


def test_many_threads_with_one_unknown_kid_are_one_fetch(stack, source, clock):
    """Once the cooldown is over, 64 threads with an unknown id cause one fetch between them."""
    source.keys(None)
    clock.advance(10)
    found = joined([in_thread(source.keys, "unknown") for _ in range(THREADS)])
    assert all(keys.find("unknown") is None for keys in found)
    assert stack.count("jwks") == 2


def test_random_kids_are_no_flood(stack, source, clock):
    """10,000 random key ids within ten seconds of a fetch cause none, and are not known to be wrong either."""
    source.keys(None)
    for _ in range(10_000):
        clock.advance(0.001)
        with pytest.raises(KeysUnavailable):
            source.keys(str(uuid4()))
    assert stack.count("jwks") == 1


def test_a_new_key_is_found_after_the_cooldown(publisher, clock):
    """A key published since is not looked for within ten seconds of the last fetch, and found by the first afterwards.

    In between it is not known to be none of the pool's: KeysUnavailable that says how long.
    """
    publisher.publish("old")
    assert publisher.knows("old")
    publisher.publish("old", "new")
    clock.advance(8.5)
    with pytest.raises(KeysUnavailable) as caught:
        publisher.knows("new")
    assert caught.value.retry_after == 2
    clock.advance(1.4)
    with pytest.raises(KeysUnavailable):
        publisher.knows("new")
    assert publisher.fetches == 1
    clock.advance(0.1)
    assert publisher.knows("new")
    assert publisher.knows("old")
    assert publisher.fetches == 2


def test_a_withdrawn_key_is_forgotten(publisher, clock):
    """A key set replaces the one before it: what is no longer published no longer verifies."""
    publisher.publish("old")
    publisher.publish("new")
    assert publisher.knows("old")
    clock.advance(10)
    assert publisher.knows("new")
    assert not publisher.knows("old")


@pytest.mark.parametrize("kind", ["error500", "throttle", "drop_before"])
def test_an_outage_spares_known_keys(stack, source, clock, kid, kind):
    """With the endpoint down known keys verify for hours; of an unknown one nothing can be said."""
    source.keys(None)
    stack.clear_calls()
    stack.fault("jwks", kind, times=None)
    for _ in range(3):
        clock.advance(3600)
        assert source.keys(kid).find(kid) is not None
        with pytest.raises(KeysUnavailable):
            source.keys("unknown")
    asked = stack.count("jwks")
    with pytest.raises(KeysUnavailable) as caught:
        source.keys("another unknown one")
    assert caught.value.retry_after == 10
    assert stack.count("jwks") == asked
    stack.clear_faults()
    clock.advance(10)
    assert source.keys("unknown").find("unknown") is None


def test_cold_and_down(stack, source, clock, kid):
    """Without any key set yet: KeysUnavailable, one fetch a second, and well again as soon as the endpoint is."""
    stack.fault("jwks", "error500", times=None)
    for _ in range(5):
        with pytest.raises(KeysUnavailable, match=r"just now|a moment ago"):
            source.keys(None)
    assert stack.count("jwks") == 1
    stack.clear_faults()
    clock.advance(1)
    assert source.keys(None).find(kid) is not None


def test_a_wrong_setup_is_no_outage(clock):
    """Without a transport, or at a forbidden address, nothing will ever come: a ConfigurationError, each time."""

    def nothing_to_send_with():
        raise ConfigurationError("calls to AWS need pycurl or botocore")

    plain = open_wire(environ={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"})
    for source in (
        CognitoKeySource(nothing_to_send_with, url="https://nowhere.invalid/keys.json", clock=clock),
        CognitoKeySource(lambda: plain, url="http://pool.example/keys.json", clock=clock),
    ):
        for _ in range(2):
            with pytest.raises(ConfigurationError):
                source.keys(None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, b'{"message":"User pool does not exist."}', {}), "USER_POOL_ID"),
        ((403, b"<html>a proxy says no</html>", {}), "proxies"),
        ((407, b"", {}), "proxies"),
        ((302, b"", {"Location": "https://portal.example/"}), "proxies"),
        ((200, b"<html>please sign in to this network</html>", {}), "not JSON"),
        ((200, b'{"message":"x"}', {}), "a list 'keys'"),
        ((429, b"", {}), "just now"),
        ((503, b"", {}), "just now"),
        ("drop", "network"),
    ],
)
def test_what_was_answered_instead_of_keys(publisher, wire, clock, answer, words):
    """Always an outage, never a rejection; the text says what to look at, within the pause as well, with the same cause."""
    publisher.server.plan += [answer] * 2
    source = CognitoKeySource(lambda: wire, url=f"{publisher.server.url}/pool/.well-known/jwks.json", clock=clock)
    causes = []
    for _ in range(2):
        with pytest.raises(KeysUnavailable, match=words) as caught:
            source.keys(None)
        causes.append(caught.value.__cause__)
        assert "proxy says no" not in str(caught.value)
    assert causes[0] is causes[1]


def test_a_pool_that_does_not_exist(wire, stack, clock):
    """No key set under that id: KeysUnavailable that says what to check."""
    source = CognitoKeySource(lambda: wire, url=f"{stack.url}/us-east-1_Nobody/.well-known/jwks.json", clock=clock)
    with pytest.raises(KeysUnavailable, match="USER_POOL_ID"):
        source.keys(None)


GARBAGE = [
    (200, b"", {}),
    (200, b"<html>sign in to our wifi</html>", {}),
    (200, b"[]", {}),
    (200, b"null", {}),
    (200, b'{"keys": []}', {}),
    (200, b'{"keys": [{"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB"}]}', {}),
    (200, b'{"keys": 5}', {}),
    (200, b"[" * 100_000, {}),
    (200, b'"\xff\xfe"', {}),
    (200, b" " * 300_000, {}),
    (302, b"", {"Location": "http://127.0.0.1:1/"}),
    (204, b"", {}),
    (404, b"{}", {}),
    "drop",
]


@pytest.mark.parametrize("document", GARBAGE, ids=lambda document: repr(document)[:40])
def test_garbage_does_not_empty_the_cache(publisher, clock, document):
    """Whatever comes instead of a key set, known keys go on verifying, and the next good document is taken."""
    publisher.publish("old")
    assert publisher.knows("old")
    clock.advance(10)
    publisher.server.plan += [deepcopy(document)] * (2 if document == "drop" else 1)  # a drop is asked again once
    with pytest.raises(KeysUnavailable):
        publisher.source.keys("new")
    assert publisher.knows("old")
    publisher.publish("new")
    clock.advance(10)
    assert publisher.knows("new")


def test_garbage_at_first(publisher, clock):
    """The same with nothing known yet: KeysUnavailable, and the first good document is taken."""
    publisher.server.plan.append(GARBAGE[1])
    with pytest.raises(KeysUnavailable):
        publisher.source.keys(None)
    publisher.publish("new")
    clock.advance(1)
    assert publisher.knows("new")


def test_known_keys_do_not_wait_for_a_fetch(stack, source, clock, kid):
    """While one thread fetches for an unknown id, the others verify with the cached keys."""
    source.keys(None)
    clock.advance(10)
    with stack.gate("jwks") as gate:
        slow = in_thread(source.keys, "unknown")
        gate.wait_for(1)
        assert in_thread(source.keys, kid).result(5).find(kid) is not None
        assert not slow.outcome
    assert slow.result().find("unknown") is None


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 advises against what is tested here
def test_a_fork_while_another_thread_fetches(stack, source, kid):
    """A child forked while a thread of its parent holds the lock fetches for itself and does not hang."""
    with stack.gate("jwks", times=1) as gate:
        held = in_thread(source.keys, None)
        gate.wait_for(1)
        child = os.fork()
        if not child:
            _in_child(source, kid)
        assert _exit_code(child) == 0
        assert not held.outcome
    assert held.result().find(kid) is not None
    assert stack.count("jwks") == 2


def _in_child(source, kid):
    """The child's whole life; nothing of pytest's runs in it."""
    code = 1
    try:
        signal.alarm(10)
        threads = [threading.Thread(target=source.keys, args=(None,)) for _ in range(4)]
        for thread in threads:
            thread.start()
            thread.join(5)
        code = 0 if source.keys(kid).find(kid) is not None else 2
    finally:
        os._exit(code)


def _exit_code(child):
    """How the child ended; None where it hangs."""
    started = time.monotonic()
    ended = eventually(lambda: (found := os.waitpid(child, os.WNOHANG))[0] and found, 15)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return f"hung for {time.monotonic() - started:.0f} s"
    return os.waitstatus_to_exitcode(ended[1])


def test_its_clock_may_stand_anywhere(pool, wire):
    """A machine that has just started has a monotonic clock near zero: the first fetch is not taken for a second one."""
    source = CognitoKeySource(lambda: wire, url=pool.jwks_url, clock=ManualClock(monotonic=0.0))
    assert source.keys(None).keys


def test_a_key_that_was_looked_for_does_not_exist(publisher, clock):
    """The key id that caused the fetch is known not to exist until the next one; any other one is not."""
    publisher.publish("old")
    assert publisher.knows("old")
    clock.advance(10)
    publisher.publish("old")
    assert not publisher.knows("made-up")
    assert not publisher.knows("made-up")
    with pytest.raises(KeysUnavailable):
        publisher.knows("another")
    assert publisher.fetches == 2


def test_a_key_of_cognitos_own_answer_is_looked_for_at_once(publisher, clock):
    """A token that came straight from Cognito does not wait for a cooldown that others began, only for its own second."""
    publisher.publish("old")
    assert publisher.knows("old")
    publisher.publish("old")
    assert publisher.source.keys_of_answer("new").find("new") is None
    publisher.publish("old", "new")
    with pytest.raises(KeysUnavailable) as caught:
        publisher.source.keys_of_answer("new")
    assert caught.value.retry_after == 1
    clock.advance(1)
    assert publisher.source.keys_of_answer("new").find("new") is not None


@pytest.mark.parametrize("junk", [["junk"], ["junk", "junk-2", "junk-3"] * 50, ["new"]], ids=["one", "many", "the same id"])
def test_junk_does_not_delay_the_key_of_an_answer(publisher, clock, junk):
    """Made-up key ids have used up the requests' budget just now; the answer's key is fetched all the same, at once."""
    publisher.publish("old")
    assert publisher.knows("old")
    clock.advance(10)
    publisher.publish("old")
    for kid in junk:
        try:
            assert not publisher.knows(kid)
        except KeysUnavailable:
            continue
    assert publisher.fetches == 2
    publisher.publish("old", "new")
    assert publisher.source.keys_of_answer("new").find("new") is not None


def test_a_failed_fetch_for_junk_does_not_delay_the_key_of_an_answer(publisher, clock):
    """Nor does the pause after a failed fetch that a made-up key id has caused."""
    publisher.publish("old")
    assert publisher.knows("old")
    clock.advance(10)
    publisher.server.plan.append((503, b"", {}))
    with pytest.raises(KeysUnavailable):
        publisher.knows("junk")
    publisher.publish("old", "new")
    assert publisher.source.keys_of_answer("new").find("new") is not None


def test_a_hanging_fetch_for_junk_does_not_delay_the_key_of_an_answer(stack, source, clock, kid):
    """The fetch for a made-up key id hangs; the answer's key is fetched beside it, and the older document changes nothing."""
    source.keys(None)
    clock.advance(10)
    with stack.gate("jwks", times=1) as gate:
        slow = in_thread(source.keys, "junk")
        gate.wait_for(1)
        clock.advance(0.5)
        newer = in_thread(source.keys_of_answer, "new").result(5)
        assert newer.find(kid) is not None
        assert not slow.outcome
    slow.result()
    assert source.keys(kid) is newer


def test_answers_are_no_flood(publisher):
    """An answer under a key that is not published costs one fetch a second, however many ask."""
    publisher.publish("old")
    publisher.publish("old")
    assert publisher.knows("old")
    assert publisher.source.keys_of_answer("new").find("new") is None
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            publisher.source.keys_of_answer("new")
    assert publisher.fetches == 2


# --- the maximum age

DAY = 86_400


def aged(publisher, clock, seconds):
    """A source whose key set has the key "old" and was fetched so many seconds ago."""
    publisher.publish("old")
    assert publisher.knows("old")
    clock.advance(seconds)


def test_a_withdrawn_key_is_refused_at_the_maximum_age(publisher, clock):
    """A worker without requests for a day, like a frozen one: the next request waits for a new key set, without the key."""
    aged(publisher, clock, DAY)
    publisher.publish("new")
    assert not publisher.knows("old")
    assert publisher.fetches == 2


@pytest.mark.parametrize("which", ["monotonic", "wall"])
def test_either_clock_ends_it(publisher, clock, which):
    """The monotonic clock of a frozen process stands still; the wall clock of a machine may be set back."""
    aged(publisher, clock, 0)
    wall, monotonic = (DAY, 0) if which == "wall" else (-3600, DAY)
    clock._now += wall
    clock._monotonic += monotonic
    publisher.publish("new")
    assert not publisher.knows("old")


def test_it_is_renewed_before_the_end_and_nobody_waits(stack, source, clock, kid):
    """From three quarters of the age on a thread of its own fetches; requests are answered meanwhile, and start no second."""
    first = source.keys(None)
    clock.advance(0.75 * DAY - 1)
    assert source.keys(kid) is first
    assert stack.count("jwks") == 1
    clock.advance(1)
    with stack.gate("jwks") as gate:
        assert source.keys(kid) is first
        gate.wait_for(1)
        assert all(source.keys(each) is first for each in [kid, None] * 50)
    assert eventually(lambda: source.keys(kid) is not first)
    assert stack.count("jwks") == 2
    clock.advance(0.5 * DAY)
    assert source.keys(kid) is not first
    assert stack.count("jwks") == 2


def test_an_outage_stretches_the_age_to_its_limit(stack, source, clock, kid, caplog):
    """One request waits and finds the outage, with a line in the log; known keys verify until the limit, then it is a 503."""
    first = source.keys(None)
    stack.clear_calls()
    stack.fault("jwks", "error500", times=None)
    clock.advance(DAY)
    assert source.keys(kid) is first
    assert stack.count("jwks") == 1
    assert source.keys(kid) is source.keys(None) is first
    assert stack.count("jwks") == 1
    (record,) = [each for each in caplog.records if "not renewed" in each.getMessage()]
    assert "24.0 hours" in record.getMessage()
    assert "HTTP 500" in record.getMessage()
    clock.advance(DAY - 1)
    assert source.keys(kid) is first
    clock.advance(1)
    for asking in (
        lambda: source.keys(kid),
        lambda: source.keys(None),
        lambda: source.keys("x"),
        lambda: source.keys_of_answer(kid),
    ):
        with pytest.raises(KeysUnavailable):
            asking()
    stack.clear_faults()
    clock.advance(1)
    assert source.keys(kid).find(kid) is not None


def test_a_failed_renewal_aside_is_tried_again(stack, source, clock, kid, caplog):
    """Once a minute, each failure with a line in the log; the first success renews the key set for a day."""
    first = source.keys(None)
    stack.fault("jwks", "error500", times=1)
    clock.advance(0.8 * DAY)
    assert source.keys(kid) is first
    assert eventually(lambda: "not renewed" in caplog.text)
    assert source.keys(kid) is first
    assert stack.count("jwks") == 2
    clock.advance(60)
    assert source.keys(kid) is first
    assert eventually(lambda: source.keys(kid) is not first)


def test_without_threads_the_end_is_waited_for(publisher, clock, monkeypatch):
    """Where no thread can be started, the key set is fetched by the first request beyond its maximum age."""
    starts = threading.Thread.start

    def refuses(thread):
        if thread.name == "cognito-session-keys":
            raise RuntimeError("can't start new thread")
        starts(thread)

    monkeypatch.setattr(threading.Thread, "start", refuses)
    aged(publisher, clock, 0.9 * DAY)
    assert publisher.knows("old")
    clock.advance(0.1 * DAY)
    publisher.publish("new")
    assert not publisher.knows("old")


def test_many_threads_at_the_end_are_one_fetch(stack, source, clock):
    """64 requests that find the key set at its maximum age share one fetch."""
    first = source.keys(None)
    clock.advance(DAY)
    found = joined([in_thread(source.keys, None) for _ in range(THREADS)])
    assert all(keys is found[0] and keys is not first for keys in found)
    assert stack.count("jwks") == 2


def test_the_policy_sets_both_spans(stack):
    """key_set_max_age_seconds and key_set_outage_seconds reach the key source of a manager."""
    app = make_app(stack, sort_key="sid")
    manager = app.manager(policy=SessionPolicy(key_set_max_age_seconds=300, key_set_outage_seconds=0))
    (line,) = manager.establish(app.sign_in(app.user())).set_cookies
    cookie = line.partition(";")[0]
    stack.fault("jwks", "error500", times=None)
    stack.advance(290)
    assert isinstance(manager.resolve(cookie), Active)
    stack.advance(10)
    with pytest.raises(KeysUnavailable):
        manager.resolve(cookie)


@pytest.mark.parametrize("name", ["key_set_max_age_seconds", "key_set_outage_seconds"])
@pytest.mark.parametrize("value", [-1, 31 * DAY, 60.0, "60", None, True])
def test_a_span_out_of_range_is_refused(name, value):
    """Whole seconds, up to 30 days; a maximum age of 300 at least."""
    with pytest.raises(ConfigurationError, match=name):
        SessionPolicy(**{name: value})
