"""The small parts that the flows share, to the letter: what is checked of a caller's values, pauses, bounds and errors."""

from __future__ import annotations

import math
import pickle

import pytest

from cognito_session.core.checks import (
    check_choice,
    check_function,
    check_guards,
    check_no_coroutine,
    check_seconds,
    unexpected,
)
from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto.access_token import parse
from cognito_session.core.crypto.keyring import Keyring
from cognito_session.core.crypto.srp import SrpExchange, number_bytes
from cognito_session.core.errors import (
    ConfigurationError,
    LeaseBusy,
    MalformedToken,
    SessionError,
    StoreUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.conditions import Change, WriteKind, Written
from cognito_session.core.protocol.device_cookie import find_device, keep_device, signed_out_device
from cognito_session.core.protocol.device_tracking import DeviceSecret
from cognito_session.core.protocol.generation import Previous, judge_previous
from cognito_session.core.protocol.ports import RefreshDenied
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.core.protocol.steps import Report, Sleep, Write
from cognito_session.core.protocol.write_attempts import Again, reason_of, repeated, report_failure, write_quietly
from cognito_session.core.redact import redacted_repr
from cognito_session.core.secret import Secret, plain
from cognito_session.drivers.sync import run
from core.test_cookie_generation import SEEN, record, sealed, token
from core.test_flow import ISSUED_AT, ISSUER, World
from support.sealing_keys import ring

# --- what a caller gave


@pytest.mark.parametrize("value", [0, 1, 0.5, 10**9])
def test_seconds_are_numbers_from_zero_on(value):
    """As they were given."""
    assert check_seconds("x", value) is value


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (True, "bool"),
        ("5", "str"),
        (None, "NoneType"),
        ([], "list"),
        (-1, "a negative number"),
        (-0.5, "a negative number"),
        (math.inf, "infinity or NaN"),
        (math.nan, "infinity or NaN"),
        (int, "the class int"),
        ("", "an empty text"),
    ],
)
def test_what_are_no_seconds_is_named(value, came):
    """The parameter, what it expects, and what came; never the value."""
    with pytest.raises(ConfigurationError) as caught:
        check_seconds("max_age", value)
    assert str(caught.value) == f"max_age: expected a number of seconds, 0 or more, not {came}"


def test_a_choice_is_one_of_its_words():
    """To the letter; another text is said to be one, another type is named."""
    assert check_choice("on_reuse", "end", ("end", "reject")) == "end"
    for value, came in (("End", "another text"), (None, "NoneType"), (1, "int"), ("", "an empty text")):
        with pytest.raises(ConfigurationError) as caught:
            check_choice("on_reuse", value, ("end", "reject"))
        assert str(caught.value) == f"on_reuse: expected one of 'end', 'reject', not {came}"


@pytest.mark.parametrize("name", ["any_group", "all_groups", "scopes", "max_age"])
def test_a_guard_s_error_names_its_parameter(name):
    """As it is written in the call."""
    with pytest.raises(ConfigurationError, match=rf"^require: {name}: expected "):
        check_guards(**{name: "text"})
    with pytest.raises(ConfigurationError, match=r"^require: all_groups: "):
        check_guards(all_groups=None)
    check_guards(any_group=None, max_age=None)
    check_guards(any_group=["a"], all_groups=("b",), scopes={"c"}, max_age=0)


class Caller:
    """An object that is called like a function."""

    def __call__(self):
        """Nothing."""


class Later:
    """An object whose call is to be awaited."""

    async def __call__(self):
        """Nothing."""


async def coroutine():
    """Nothing."""


@pytest.mark.parametrize("value", [len, lambda: None, Caller(), Caller])
def test_a_function_may_be_anything_that_is_called(value):
    """A function, a method, a class or an object with __call__."""
    assert check_function("on_event", value) is value


@pytest.mark.parametrize("value", [None, 5, "text", coroutine, Later()])
def test_nobody_awaits_a_hook(value):
    """An async function, in either form, would never run."""
    with pytest.raises(ConfigurationError, match=r"^on_event: expected a function that is not async, not "):
        check_function("on_event", value)


class Proxy:
    """Has every special method, like `flask.request`; its class is that of what it stands for."""

    __class__ = dict

    def __await__(self):
        """Nothing."""


def test_what_should_have_been_awaited_is_said_and_closed():
    """A coroutine is closed, so that no other warning appears; a proxy is not taken for one."""
    check_no_coroutine("event", {})
    check_no_coroutine("event", Proxy())
    made = coroutine()
    with pytest.raises(ConfigurationError) as caught:
        check_no_coroutine("event", made)
    assert str(caught.value) == "event: expected a value, not coroutine; await it first"
    assert made.cr_frame is None
    assert str(unexpected("x", "a list", 5, " in it")) == "x: expected a list, not int in it"


# --- pauses


def flow_of(case, *answers):
    """A repeated attempt that meets these answers; faults are raised."""
    met = iter(answers)

    def attempt():
        answer = next(met)
        if isinstance(answer, Exception):
            raise answer
        yield from ()
        return answer

    return repeated(case, attempt, busy="it kept changing")


def drive(flow, clock):
    """What a flow returns or raises, and the seconds that it slept."""
    slept = []
    try:
        step = next(flow)
        while True:
            assert isinstance(step, Sleep)
            slept.append(step.seconds)
            clock.advance(step.seconds)
            step = flow.send(None)
    except StopIteration as stop:
        return stop.value, slept
    except SessionError as error:
        return error, slept


@pytest.mark.parametrize(
    ("bytes_", "share"), [(b"\x00" * 4, 0.5), (b"\xff" * 4, 1.0), (b"\x80\0\0\0", 0.75), (b"\0\0\0\x01", 0.5)]
)
def test_a_fault_is_met_again_after_growing_pauses(bytes_, share):
    """A tenth, three tenths and nine tenths of a second, of which chance takes up to a half; four bytes are drawn for each."""
    world = World()
    drawn = []
    case = world.context._replace(entropy=lambda count: drawn.append(count) or bytes_)
    fault = StoreUnavailable("throttled")
    answer, slept = drive(flow_of(case, fault, fault, fault, "done"), world.clock)
    assert answer == "done"
    assert slept == pytest.approx([0.1 * share, 0.3 * share, 0.9 * share], abs=1e-6)
    assert drawn == [4, 4, 4]
    answer, slept = drive(flow_of(case, fault, fault, fault, fault), world.clock)
    assert (answer, len(slept), fault.repeated) == (fault, 3, True)


@pytest.mark.parametrize("reason", ["unreadable_record", "tampered_record"])
def test_a_row_that_cannot_be_read_is_not_read_again(reason):
    """Reading again repairs nothing; nor is a call repeated that was repeated below."""
    world = World()
    fault = StoreUnavailable("x", reason=reason)
    assert drive(flow_of(world.context, fault, "done"), world.clock) == (fault, [])
    again = StoreUnavailable("x")
    again.repeated = True
    assert drive(flow_of(world.context, again, "done"), world.clock) == (again, [])


def test_a_pause_ends_a_second_before_the_worker_does():
    """A pause that ends exactly then is taken, a longer one is not; the fault then counts as repeated."""
    world = World()
    fault = StoreUnavailable("throttled")
    case = world.context._replace(entropy=lambda count: b"\x00" * count)
    exact = case._replace(deadline=world.clock.monotonic() + 1 + 0.1 * 0.5)
    assert drive(flow_of(exact, fault, "done"), world.clock) == ("done", [0.05])
    short = case._replace(deadline=world.clock.monotonic() + 1.04)
    answer, slept = drive(flow_of(short, StoreUnavailable("throttled"), "done"), world.clock)
    assert (answer.repeated, slept) == (True, [])
    answer, slept = drive(flow_of(short, Again.AGAIN, "done"), world.clock)
    assert isinstance(answer, LeaseBusy)
    assert (str(answer), slept) == ("it kept changing", [])


def test_a_row_that_keeps_changing_is_looked_at_three_times_whatever_the_time():
    """A worker that was frozen for longer than patience still looks again, and then gives up."""
    world = World()

    def attempt():
        world.clock.advance(13)
        yield from ()
        return Again.AGAIN

    flow = repeated(world.context, attempt, busy="busy")
    answer, slept = drive(flow, world.clock)
    assert isinstance(answer, LeaseBusy)
    assert len(slept) == 2


# --- quiet writes


def answered(flow, answer):
    """The steps of a flow whose first step meets `answer`, and what it returns."""
    steps = [next(flow)]
    try:
        steps.append(flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer))
        while True:
            steps.append(flow.send(None))
    except StopIteration as stop:
        return steps, stop.value


CHANGE = Change(WriteKind.MOVE_IDLE_END, SessionKey("u", "s"), ())


def test_a_quiet_write_is_written_once():
    """Its answer is handed on, an outage is no answer and nobody is told."""
    written = Written(applied=True, found={})
    steps, found = answered(write_quietly(CHANGE, "s"), written)
    assert ([type(step) for step in steps], found) == ([Write], written)
    steps, found = answered(write_quietly(CHANGE, "s"), StoreUnavailable("x"))
    assert ([type(step) for step in steps], found) == ([Write], None)


@pytest.mark.parametrize(
    ("error", "event", "detail"),
    [
        (ConfigurationError("no role"), "misconfigured", "touch: no role"),
        (SessionError("x"), "write_failed", "touch: x"),
        (KeyError("a secret"), "write_failed", "touch: KeyError"),
    ],
)
def test_another_failure_of_a_quiet_write_is_told(error, event, detail):
    """With the name of the write; a stranger's text may quote a secret."""
    (write, told), found = answered(write_quietly(CHANGE, "s"), error)
    assert isinstance(write, Write)
    assert isinstance(told, Report)
    assert (told.event, told.sub, told.sid, told.detail, told.limited, found) == (event, "u", "s", detail, False, None)
    (told,) = report_failure(error, "u", None, "touch")
    assert (told.event, told.sid, told.detail) == (event, None, detail)


def test_a_reason_is_ours_or_a_kind():
    """The stable word of an error of ours, the class of any other."""
    assert reason_of(StoreUnavailable("text", reason="throttled")) == "throttled"
    assert reason_of(KeyError("a secret")) == "KeyError"


# --- what is shown


def test_a_hidden_field_shows_whether_it_is_there():
    """Nothing of what it holds; None is shown as such, and a field that is no secret as it is."""
    change = Change(WriteKind.MOVE_IDLE_END, SessionKey("u", "s"), (), put={"a": "secret"})
    assert redacted_repr(change, "put", "drop").startswith("Change(kind=<WriteKind.MOVE_IDLE_END: 'touch'>, key=")
    assert "put=..., drop=..., " in redacted_repr(change, "put", "drop")
    assert redacted_repr(Written(applied=False, found=None), "found") == "Written(applied=False, found=None)"
    assert redacted_repr(SessionKey("u", "s")) == "SessionKey(sub='u', sid='s')"


SECRETS = ("token", "token_hash", "access_token", "lease_for", "device_key", "device_pending", "data")


def test_a_record_shows_no_secret():
    """Tokens, what is made of them, the device and the data; the rest is shown."""
    row = dict.fromkeys(SECRETS, "canary") | {"unrevoked": frozenset({"canary"}), "username": "alice", "sid": "s"}
    shown = repr(SessionRecord.from_row(SessionKey("u", "s"), row))
    assert "canary" not in shown
    assert "username='alice'" in shown


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "unauthorized"),
        (403, "forbidden"),
        (409, "conflict"),
        (500, "misconfigured"),
        (503, "unavailable"),
        (418, "error"),
    ],
)
def test_a_client_is_told_a_word_and_the_reason(status, word):
    """Never the message; a status of the application's own has a word as well."""
    error = SessionError("names a table", reason="why")
    error.status = status
    assert error.public_body() == {"error": word, "reason": "why"}


# --- generations of sealed cookies


@pytest.mark.parametrize(
    ("gen", "row", "after", "outcome"),
    [
        (3, {"gen_prev": 3, "seen_at": SEEN, "prev_exp": SEEN + 9}, 60, Previous.HEAL),
        (2, {"gen_prev": 3, "gen_old": 2, "old_until": SEEN + 20, "seen_at": None, "prev_exp": SEEN + 9}, 20, Previous.HEAL),
        (2, {"gen_prev": 3, "gen_old": 2, "old_until": SEEN + 20, "seen_at": None, "prev_exp": SEEN + 9}, 21, Previous.REUSE),
        (2, {"gen_prev": 3, "gen_old": 2, "old_until": SEEN + 20, "seen_at": None, "prev_exp": SEEN + 99}, 21, Previous.REJECT),
        (2, {"gen_prev": 3, "gen_old": 2, "seen_at": None, "prev_exp": SEEN + 99}, 1, Previous.REJECT),
        (2, {"gen_prev": None, "gen_old": 2, "seen_at": SEEN, "prev_exp": SEEN + 9}, 60, Previous.HEAL),
        (2, {"gen_prev": None, "gen_old": 2, "seen_at": SEEN, "prev_exp": None}, 61, Previous.REUSE),
    ],
)
def test_a_sealed_generation_before_the_previous_ones_travels_until_its_instant(gen, row, after, outcome):
    """To the second."""
    assert judge_previous(sealed(gen), record(**row), SEEN + after) is outcome


@pytest.mark.parametrize(("after", "outcome"), [(20, Previous.HEAL), (21, Previous.REJECT)])
def test_a_token_before_the_previous_ones_travels_until_its_instant(after, outcome):
    """As above, by its jti, though the current one has not been seen."""
    row = record(jti_old=frozenset({"j2"}), old_until=SEEN + 20, seen_at=None)
    assert judge_previous(token("j2"), row, SEEN + after) is outcome


# --- tokens, seals and devices


@pytest.mark.parametrize("nest", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["objects", "lists"])
def test_claims_have_a_bounded_depth(nest):
    """The claims themselves are the first level: 31 more are read, 32 more are not."""
    from cognito_session.core.crypto.access_token import _MAX_LEVELS

    def nested(levels):
        value = 1
        for _ in range(levels):
            value = nest(value)
        return ISSUER.access_token(extra=value)

    assert parse(nested(_MAX_LEVELS - 1), ISSUER.rules)
    with pytest.raises(MalformedToken, match=f"at most {_MAX_LEVELS} levels"):
        parse(nested(_MAX_LEVELS), ISSUER.rules)


class Ring:
    """A keyring that never changes."""

    def keyring(self, *, newer):
        del newer
        return Keyring.parse(ring(1))


@pytest.mark.parametrize("name", ["__Host-mine", "mine"])
def test_a_device_s_cookie_stands_beside_the_session_s(name):
    """One `__Host-` prefix, found again by its user, and taken back at sign-out where the policy forgets devices."""
    world = World(policy=SessionPolicy(forget_device_on_sign_out=True))
    case = world.context._replace(seals=True, cookie=Cookie(name))
    ports = world.ports._replace(keyrings=Ring())
    secret = DeviceSecret("key", "group", "password")
    (line,) = run(keep_device(case, secret, "alice-id", "alice"), ports)
    header = line.partition(";")[0]
    assert header.startswith("__Host-mine-device=")
    assert f"Max-Age={30 * 86_400}" in line
    for user in ("alice-id", "alice"):
        known = run(find_device(case, header, user), ports)
        assert tuple(known) == (secret, "alice-id", "alice", ISSUED_AT + 30 * 86_400)
    assert run(find_device(case, header, "bob"), ports) is None
    assert run(find_device(case, "other=1", "alice"), ports) is None
    (gone,) = signed_out_device(case, header)
    assert gone.startswith("__Host-mine-device=;")
    assert signed_out_device(case, "other=1") == ()
    assert signed_out_device(case._replace(policy=SessionPolicy(forget_device_on_sign_out=False)), header) == ()


def test_a_number_is_hashed_as_cognito_does():
    """Big-endian, with a zero byte before a set high bit."""
    assert [number_bytes(number) for number in (0, 1, 127, 128, 255, 256, 32_768)] == [
        *(b"\x00", b"\x01", b"\x7f", b"\x00\x80", b"\x00\xff", b"\x01\x00", b"\x00\x80\x00")
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"server_public": "f" * 1025}, "SRP: expected SALT and SRP_B of at most 1,024 hexadecimal digits"),
        ({"salt": "f" * 1025}, "SRP: expected SALT and SRP_B of at most 1,024 hexadecimal digits"),
        ({"server_public": "0"}, "SRP: expected SRP_B other than 0 modulo the group"),
        ({"salt": "-1"}, "SRP: expected SRP_B other than 0 modulo the group"),
        ({"block": "?"}, "SRP: expected SECRET_BLOCK as base64"),
        ({"block": "YQ"}, "SRP: expected SECRET_BLOCK as base64"),
    ],
)
def test_a_challenge_that_no_honest_server_sends_is_named(more, said):
    """Each parameter alone is refused, at its limit it is not."""
    honest = {"salt": "0", "server_public": "1", "block": "YQ==", "timestamp": "now"}
    exchange = SrpExchange(3)
    assert exchange.signature("id", "pw", **honest | {"salt": "f" * 1024})
    assert exchange.signature("id", "pw", **honest | {"server_public": "1" * 1024})
    with pytest.raises(ValueError) as caught:
        exchange.signature("id", "pw", **honest | more)
    assert str(caught.value) == said


def test_a_denial_shows_its_code():
    """Verdict and code are no secrets."""
    assert (
        repr(RefreshDenied("dead", "NotAuthorizedException")) == "RefreshDenied(verdict='dead', code='NotAuthorizedException')"
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Secret("a"), Secret("a"), True),
        (Secret("a"), Secret("b"), False),
        (Secret("a"), "a", True),
        (Secret("a"), "b", False),
        (Secret("a"), b"a", True),
        (Secret(b"a"), Secret("a"), True),
        (Secret("a"), None, False),
        (Secret(["a"]), Secret(["a"]), True),
        (Secret(["a"]), ["a"], True),
        (Secret(["a"]), Secret(["b"]), False),
        (Secret("\ud800"), Secret("\ud800"), True),
    ],
)
def test_a_secret_equals_what_it_hides(one, other, same):
    """By its bytes, in a time that does not depend on them; a structure by its value."""
    assert (one == other) is same


def test_a_secret_formats_as_its_placeholder():
    """With a width as well, and it never leaves the process."""
    assert f"{Secret('canary'):>12}|{Secret('canary')}" == " Secret(...)|Secret(...)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("canary"))


def test_every_secret_of_a_structure_is_revealed():
    """In mappings and lists, at any depth; nothing else changes."""
    assert plain({"a": [Secret("x"), {"b": Secret("y")}], "c": 1}) == {"a": ["x", {"b": "y"}], "c": 1}
    assert plain((Secret("x"),)) == (Secret("x"),)


def test_a_report_shows_its_address_where_it_is_known():
    """And nothing in its place where it is not."""
    assert repr(Report("reuse", "u", "s")) == "Report(event='reuse', sub='u', sid='s', detail='')"
    assert repr(Report("reuse", "u", None, "d", address="::1")) == (
        "Report(event='reuse', sub='u', sid=None, detail='d', address='::1')"
    )
