"""resolve(), renewal, establish() and log_out() over a memory store, a scripted provider and a clock that is a value.

Races are searched in tests/races; here stand the decisions that one request takes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from cognito_session.core.cookie import Cookie
from cognito_session.core.errors import (
    ConfigurationError,
    KeysUnavailable,
    ProviderUnavailable,
    SessionUnavailable,
    StoreUnavailable,
)
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.protocol.context import FlowContext, refresh_window
from cognito_session.core.protocol.establish import SignedIn, establish
from cognito_session.core.protocol.ports import DEVICE_REFUSED, NewTokens, RefreshDenied
from cognito_session.core.protocol.record import USER_SID, SessionKey
from cognito_session.core.protocol.resolve import resolve
from cognito_session.core.protocol.session import Active, Reason, Refreshed, Rejected
from cognito_session.core.protocol.sign_out import log_out
from cognito_session.drivers.sync import Ports, run
from cognito_session.testing.clock import ManualClock
from cognito_session.testing.memory_store import MemoryStore
from support.tokens import ISSUED_AT, SUB, Issuer

ISSUER = Issuer()
KEY = SessionKey(SUB, "origin-1")
LIFE = 3600


@dataclass
class Provider:
    """Answers refresh calls from a list; the last one again and again. An exception in it is raised."""

    answers: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    confirmed: list[Any] = field(default_factory=list)
    forgotten: list[Any] = field(default_factory=list)
    device_answers: list[Any] = field(default_factory=list)

    def refresh(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def revoke(self, refresh_token):
        self.revoked.append(refresh_token)

    def confirm_device(self, confirmation):
        self.confirmed.append(confirmation)
        answer = self.device_answers.pop(0) if self.device_answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forget_device(self, access_token, device_key):
        self.forgotten.append((access_token, device_key))


class Keys:
    """The issuer's keys, or an outage."""

    down = False

    def keys(self, missing_kid):
        if self.down:
            raise KeysUnavailable("down")
        return ISSUER.key_set()


class World:
    """One user with one session, and everything a request meets."""

    def __init__(self, *, policy=None, one_row=False):
        self.clock = ManualClock(now=ISSUED_AT)
        self.store = MemoryStore(one_row_per_user=one_row)
        self.provider = Provider([NewTokens(self.token("jti-2", at=LIFE + 1), "rt-2")])
        self.keys = Keys()
        self.events = []
        self.ports = Ports(
            self.store, self.provider, self.keys, self.clock, self.clock.advance, lambda e: self.events.append(e.event)
        )
        entropy, cookie = lambda n: b"\x01" * n, Cookie("token")
        self.context = FlowContext(
            policy or SessionPolicy(), ISSUER.rules, cookie, self.clock, entropy, one_row_per_user=one_row
        )

    def token(self, jti="jti-1", *, at=0, **claims):
        return ISSUER.access_token(jti=jti, iat=ISSUED_AT + at, exp=ISSUED_AT + at + LIFE, **claims)

    def sign_in(self, **more):
        return run(establish(self.context, SignedIn(self.token(), "rt-1", **more)), self.ports)

    def resolve(self, token=None, **keywords):
        return run(resolve(self.context, f"token={token or self.token()}", **keywords), self.ports)

    @property
    def row(self):
        return next(row for row in self.store.rows.values() if row.get("sid") != USER_SID)

    def edit(self, **values):
        self.row.update(values)


@pytest.fixture
def world():
    made = World()
    made.sign_in()
    return made


# --- ordinary


def test_a_valid_token_is_served_without_a_new_cookie(world):
    """Active, not Refreshed; no Set-Cookie, no call; the generation is marked seen once."""
    outcome = world.resolve()
    assert type(outcome) is Active
    assert outcome.session.set_cookies == ()
    assert outcome.session.cognito is None
    assert world.row["seen_at"] == ISSUED_AT
    world.clock.advance(5)
    world.resolve()
    assert world.row["seen_at"] == ISSUED_AT
    assert world.provider.requests == []


def test_a_failed_seen_write_changes_nothing(world):
    """Served although the store refuses to write."""

    def broken(change):
        raise StoreUnavailable("throttled")

    world.store.write = broken
    assert isinstance(world.resolve(), Active)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state": "ended"}, Reason.SESSION_ENDED),
        ({"abs_exp": ISSUED_AT}, Reason.ABSOLUTE_TIMEOUT),
        ({"idle_exp": ISSUED_AT}, Reason.IDLE_TIMEOUT),
        ({"sid": "origin-2"}, Reason.DISPLACED),
    ],
    ids=str,
)
def test_what_the_row_says_denies_a_valid_token(world, values, reason):
    """Ended, past its ends, or another session's: rejected although the token is valid, nothing written."""
    if "sid" in values:
        world.edit(jti_cur="other")
    world.edit(**values)
    before = dict(world.row)
    assert world.resolve() == Rejected(reason)
    assert world.row == before


@pytest.mark.parametrize("attr", ["abs_exp", "idle_exp"])
@pytest.mark.parametrize(("offset", "served"), [(-1, False), (0, False), (1, True)])
def test_ends_are_checked_on_reading_to_the_second(world, attr, offset, served):
    """At its end a session is over; one second before it is not, though the row is still in the table."""
    world.edit(**{attr: ISSUED_AT + offset})
    assert isinstance(world.resolve(), Active) is served


def test_no_row_is_a_rejection_and_creates_none(world):
    """An authentic token without a row is unknown, and nothing but establish() makes a row."""
    world.store.rows.clear()
    assert world.resolve() == Rejected(Reason.UNKNOWN_SESSION)
    assert world.store.rows == {}


def test_a_token_from_the_future_is_refused_beyond_the_tolerance(world):
    """10 seconds ahead of our clock is a difference of clocks, 11 are not."""
    assert isinstance(run(resolve(world.context, f"token={world.token(at=10)}"), world.ports), Active)
    assert "not_yet_valid" not in world.events
    assert world.resolve(world.token(at=11)) == Rejected(Reason.NOT_YET_VALID)
    assert world.events[-1] == "not_yet_valid"  # the clock is wrong, and nobody else could tell the operator


# --- refresh


def test_an_expired_token_is_refreshed_and_the_cookie_changes(world):
    """Refreshed, one call with the stored token, generation 2, the new token in cookie and `cognito`."""
    world.clock.advance(LIFE + 1)
    outcome = world.resolve()
    assert isinstance(outcome, Refreshed)
    assert outcome.session.cognito == {"AuthenticationResult": {"AccessToken": outcome.session.access_token}}
    assert outcome.session.set_cookies[0].startswith(f"token={outcome.session.access_token}; Max-Age=")
    assert [request.refresh_token for request in world.provider.requests] == ["rt-1"]
    assert (world.row["gen"], world.row["token"], world.row["jti_prev"]) == (2, "rt-2", frozenset({"jti-1"}))
    assert "lease_id" not in world.row


def test_without_rotation_the_refresh_token_stays(world):
    """Where Cognito returns no refresh token the stored one is kept."""
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1), None)]
    world.clock.advance(LIFE + 1)
    assert isinstance(world.resolve(), Refreshed)
    assert world.row["token"] == "rt-1"


def test_the_old_cookie_is_healed_and_later_refused(world):
    """Previous generation: healed with a cookie within the overlap, then refused, then reuse."""
    world.clock.advance(LIFE + 1)
    new = world.resolve().session.access_token
    healed = world.resolve()
    assert healed.session.access_token == new
    assert healed.session.set_cookies
    world.resolve(new)
    world.clock.advance(60)
    assert isinstance(world.resolve(), Active)
    world.clock.advance(1)
    assert world.resolve() == Rejected(Reason.REUSE)
    assert world.row["state"] == "ended"
    assert world.provider.revoked == ["rt-2"]
    assert "reuse" in world.events


def test_a_previous_cookie_that_is_not_expired_does_not_end_the_session():
    """Refreshed ahead of expiry: the old token, still valid, is superseded after the overlap; the session stays."""
    world = World()
    world.sign_in()
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE - 120), "rt-2")]
    world.clock.advance(LIFE - 120)
    new = world.resolve().session.access_token
    world.resolve(new)
    world.clock.advance(61)
    assert world.resolve() == Rejected(Reason.SUPERSEDED)
    assert world.row["state"] == "active"


@pytest.mark.parametrize("lives", [2, 5])
def test_a_cookie_of_a_life_ago_is_reuse_though_each_was_only_presented_to_be_refreshed(world, lives):
    """A browser that asks once in a token's life presents each generation: the ones before it do not stay previous."""
    cookie = None
    for number in range(1, lives + 1):
        world.clock.advance(LIFE + 120)
        world.provider.answers = [NewTokens(world.token(f"jti-{number + 1}", at=number * (LIFE + 120)), f"rt-{number + 1}")]
        cookie = world.resolve(cookie).session.access_token
    assert len(world.row["jti_prev"]) == 1
    world.clock.advance(61)
    assert world.resolve() == Rejected(Reason.REUSE)


def test_on_reuse_reject_keeps_the_session():
    """The policy's other choice: the request is refused and reported, the session stays."""
    world = World(policy=SessionPolicy(on_reuse="reject"))
    world.sign_in()
    world.edit(jti_cur="another", seen_at=ISSUED_AT)
    assert world.resolve() == Rejected(Reason.REUSE)
    assert world.row["state"] == "active"
    assert world.events[-1] == "reuse"


def test_the_refresh_window_is_jittered_within_its_bounds():
    """Half to all of a tenth of the token's life, never over 300 seconds, and not the same for all sessions."""
    windows = {refresh_window(f"sid-{n}", LIFE) for n in range(200)}
    assert 150 <= min(windows) < max(windows) <= 300
    assert len(windows) > 150
    assert max(refresh_window(f"sid-{n}", 86_400) for n in range(50)) <= 300
    assert max(refresh_window(f"sid-{n}", 20) for n in range(50)) <= 2


# --- refusals and outages

OUTAGES = [
    (ProviderUnavailable("throttled", sent=True, retry_after=7), 1),
    (ProviderUnavailable("lost", sent=None), 1),
    (ProviderUnavailable("dns", sent=False), 2),
]


@pytest.mark.parametrize(("fault", "calls"), OUTAGES, ids=["answered", "unknown", "never sent"])
def test_an_outage_serves_what_is_valid(world, fault, calls):
    """In the refresh window a failed call is nobody's business: served, row alive, cookie untouched."""
    world.provider.answers = [fault]
    world.clock.advance(LIFE - 1)
    outcome = world.resolve()
    assert type(outcome) is Active
    assert outcome.session.set_cookies == ()
    assert len(world.provider.requests) == calls
    assert world.row["state"] == "active"


@pytest.mark.parametrize(("fault", "calls"), OUTAGES, ids=["answered", "unknown", "never sent"])
def test_an_outage_of_an_expired_session_is_a_503(world, fault, calls):
    """Unavailable, never rejected; a call that is not known to have been made is never repeated at once."""
    world.provider.answers = [fault]
    world.clock.advance(LIFE + 1)
    with pytest.raises(SessionUnavailable):
        world.resolve(deadline=world.clock.monotonic() + 8)
    assert len(world.provider.requests) == calls
    assert world.row["state"] == "active"


def test_throttling_is_remembered_by_all_workers(world):
    """`retry_at` holds back every worker until then: 503 with the seconds left, no second call."""
    world.provider.answers = [ProviderUnavailable("throttled", sent=True, retry_after=7)]
    world.clock.advance(LIFE + 1)
    with pytest.raises(SessionUnavailable):
        world.resolve()
    with pytest.raises(SessionUnavailable) as caught:
        world.resolve()
    assert caught.value.retry_after == 7
    assert len(world.provider.requests) == 1
    world.clock.advance(7)
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1), "rt-2")]
    assert isinstance(world.resolve(), Refreshed)


def test_a_clear_verdict_ends_the_session(world):
    """The first lease of a generation, no earlier doubt: ended at once, even while the token is still valid."""
    world.provider.answers = [RefreshDenied("dead", "NotAuthorizedException")]
    world.clock.advance(LIFE - 1)
    assert world.resolve() == Rejected(Reason.REFRESH_DENIED)
    assert world.row["state"] == "ended"
    assert "token" not in world.row


def test_a_doubtful_verdict_waits_for_a_slow_sibling(world):
    """After a call whose outcome is unknown a refusal is only suspected, and confirmed 8 seconds later."""
    world.provider.answers = [ProviderUnavailable("lost"), RefreshDenied("dead", "RefreshTokenReuseException")]
    world.clock.advance(LIFE + 1)
    with pytest.raises(SessionUnavailable):
        world.resolve()
    assert world.row["state"] == "active"
    assert world.row["suspect_at"]
    world.clock.advance(9)
    assert world.resolve() == Rejected(Reason.REFRESH_LOST)
    assert world.row["state"] == "ended"


def test_a_doubtful_refusal_of_the_device_keeps_its_reason(world):
    """A device refused after a call whose outcome is unknown ends the session as device_refused, which says what to do."""
    world.provider.answers = [ProviderUnavailable("lost"), RefreshDenied("dead", DEVICE_REFUSED)]
    world.clock.advance(LIFE + 1)
    with pytest.raises(SessionUnavailable):
        world.resolve()
    world.clock.advance(9)
    assert world.resolve() == Rejected(Reason.DEVICE_REFUSED)
    assert (world.row["state"], world.row["reason"]) == ("ended", "device_refused")


def test_an_unknown_refusal_never_rejects(world):
    """503 for hours, the row as it is and each refusal reported; once the cause is gone the session goes on."""
    world.provider.answers = [RefreshDenied("unknown", "NotAuthorizedException")]
    world.clock.advance(LIFE + 1)
    for _ in range(40):
        with pytest.raises(ProviderUnavailable):
            world.resolve()
        world.clock.advance(300)
    assert world.row["state"] == "active"
    assert world.events.count("refresh_refused") == 40
    world.provider.answers = [NewTokens(world.token("jti-2", at=4 * LIFE), "rt-2")]
    assert isinstance(world.resolve(), Refreshed)


def test_a_wrong_client_secret_is_a_500_and_ends_nothing(world):
    """ConfigurationError for the operator; while the token is valid the user does not notice."""
    world.provider.answers = [ConfigurationError("CLIENT_SECRET: wrong")]
    world.clock.advance(LIFE - 1)
    assert isinstance(world.resolve(), Active)
    assert "misconfigured" in world.events
    world.clock.advance(40)
    with pytest.raises(ConfigurationError):
        world.resolve()
    assert world.row["state"] == "active"


def test_too_little_time_left_does_not_begin_a_refresh(world):
    """With under 6 seconds left: served while valid, otherwise a 503 that names the function's timeout."""
    world.clock.advance(LIFE - 1)
    assert type(world.resolve(deadline=world.clock.monotonic() + 5.9)) is Active
    world.clock.advance(2)
    with pytest.raises(SessionUnavailable) as caught:
        world.resolve(deadline=world.clock.monotonic() + 5.9)
    assert caught.value.reason == "function_timeout"
    assert world.provider.requests == []
    assert isinstance(world.resolve(deadline=world.clock.monotonic() + 6), Refreshed)


def test_keys_that_are_not_to_be_had_do_not_lose_the_new_token(world):
    """The new tokens are committed on the word of TLS, served only once the signature has been checked."""
    world.clock.advance(LIFE + 1)
    world.keys.down = False
    flow = resolve(world.context, f"token={world.token()}")
    with pytest.raises(KeysUnavailable):
        _run_with_keys_failing_after_identify(world, flow)
    assert world.row["token"] == "rt-2"
    assert world.row["unverified"] is True
    outcome = world.resolve()
    assert outcome.session.set_cookies


def _run_with_keys_failing_after_identify(world, flow):
    class FailingLater(Keys):
        asked = 0

        def keys(self, missing_kid):
            self.asked += 1
            self.down = self.asked > 1
            return super().keys(missing_kid)

    return run(flow, world.ports._replace(keys=FailingLater()))


@pytest.mark.parametrize("claims", [{"sub": "somebody-else"}, {"client_id": "another"}], ids=["sub", "client"])
def test_a_refresh_that_returns_somebody_elses_token_is_not_committed(world, claims):
    """Another user's or client's token is an outage of the provider: nothing stored, nobody served."""
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, **claims), "rt-2")]
    world.clock.advance(LIFE + 1)
    with pytest.raises(ProviderUnavailable):
        world.resolve()
    assert world.row["token"] == "rt-1"


def test_a_changed_origin_jti_keeps_the_session(world):
    """Committed under the record's own session id and reported; the new cookie finds its row by jti."""
    world.provider.answers = [NewTokens(world.token("jti-2", at=LIFE + 1, origin_jti="origin-9"), "rt-2")]
    world.clock.advance(LIFE + 1)
    outcome = world.resolve()
    assert outcome.session.sid == "origin-1"
    assert "origin_changed" in world.events
    again = world.resolve(outcome.session.access_token)
    assert again.session.sid == "origin-1"


def test_the_device_key_is_sent_along():
    """A remembered device's key goes with the refresh token."""
    world = World()
    world.sign_in(device_key="us-east-1_device")
    world.clock.advance(LIFE + 1)
    world.resolve()
    assert world.provider.requests[0].device_key == "us-east-1_device"


def test_leases_grow_from_the_third_of_a_generation(world):
    """6, 6, 12, 24, 30 seconds: a provider that keeps failing is asked less and less."""
    world.provider.answers = [ProviderUnavailable("lost")]
    world.clock.advance(LIFE + 1)
    lengths = []
    for _ in range(5):
        before = world.row.get("lease_n", 0)
        with pytest.raises(SessionUnavailable):
            world.resolve(deadline=world.clock.monotonic() + 6)
        assert world.row["lease_n"] == before + 1
        lengths.append(round(world.row["lease_until"] / 1000 - world.clock.now()))
        world.clock.advance(40)
    assert [round(length, -1) for length in lengths[2:]] == [10, 20, 30] or lengths[2] > lengths[0]
    assert lengths[-1] <= 30


# --- establish and log out


def test_establish_writes_one_row_with_the_seeds_attributes(world):
    """`sub`, `token` and `timestamp` as in the seed, our own beside them; the user's row holds no more than the count."""
    assert {"sub": SUB, "token": "rt-1", "timestamp": ISSUED_AT}.items() <= world.row.items()
    (users,) = (row for row in world.store.rows.values() if row is not world.row)
    assert users.keys() == {"sub", "sid", "sign_ins", "ttl"}


def test_a_late_duplicate_of_a_sign_in_brings_nothing_back(world):
    """The same tokens once more after the logout: refused, the tombstone stays."""
    run(log_out(world.context, f"token={world.token()}"), world.ports)
    assert world.sign_in() == Rejected(Reason.SESSION_ENDED)
    assert world.row["state"] == "ended"


def test_an_expired_sign_in_begins_nothing(world):
    """Tokens that were kept until their access token expired are no sign-in any more."""
    world.store.rows.clear()
    world.clock.advance(LIFE)
    assert world.sign_in() == Rejected(Reason.SIGN_IN_EXPIRED)
    assert world.store.rows == {}


def test_a_sign_in_over_another_session_revokes_its_token():
    """In a table without sort key the replaced session's refresh token dies with it."""
    world = World(one_row=True)
    world.sign_in()
    second = SignedIn(world.token("jti-9", origin_jti="origin-9"), "rt-9")
    assert run(establish(world.context, second), world.ports).set_cookies
    assert world.provider.revoked == ["rt-1"]


def test_a_repeated_sign_in_request_is_answered_alike(world):
    """The answer of the first write was lost: the repetition finds its own row and sets the same cookie."""
    assert world.sign_in().set_cookies


def test_tokens_of_another_client_are_the_programmers_error():
    """establish() refuses what is not this pool's and client's, naming the reason."""
    world = World()
    with pytest.raises(ConfigurationError, match="wrong_client"):
        run(establish(world.context, SignedIn(world.token(client_id="another"), "rt")), world.ports)
    with pytest.raises(ConfigurationError, match="RefreshToken"):
        SignedIn.of({"AuthenticationResult": {"AccessToken": "x"}})


def test_logging_out_ends_the_row_revokes_and_is_safe_to_repeat(world):
    """Tombstone without secrets, the stored token revoked, the next request 401, the second logout harmless."""
    assert run(log_out(world.context, f"token={world.token()}"), world.ports) is None
    assert world.provider.revoked == ["rt-1"]
    assert not {"token", "access_token", "token_hash", "lease_id"} & set(world.row)
    assert world.row["ttl"] >= ISSUED_AT + 86_400
    assert world.resolve() == Rejected(Reason.SESSION_ENDED)
    assert run(log_out(world.context, f"token={world.token()}"), world.ports) == Rejected(Reason.SESSION_ENDED)


def test_a_displaced_cookie_cannot_log_the_new_session_out():
    """In a table without sort key an older device's logout leaves the newer sign-in alone."""
    world = World(one_row=True)
    world.sign_in()
    world.edit(sid="origin-2", jti_cur="jti-9")
    assert run(log_out(world.context, f"token={world.token()}"), world.ports) == Rejected(Reason.DISPLACED)
    assert world.row["state"] == "active"


# --- foreign rows


@pytest.fixture
def seed_world():
    made = World(one_row=True)
    made.store.rows[SUB, ""] = {"sub": SUB, "token": "rt-1", "timestamp": ISSUED_AT, "note": "kept"}
    return made


def test_the_seeds_row_serves_a_valid_token_without_a_write(seed_world):
    """Three attributes are enough; nothing is written."""
    before = dict(seed_world.row)
    assert type(seed_world.resolve()) is Active
    assert seed_world.row == before


def test_the_seeds_row_becomes_ours_at_its_refresh(seed_world):
    """Committed with session id, hash and limits; what a stranger keeps in the row survives."""
    seed_world.clock.advance(LIFE + 1)
    assert isinstance(seed_world.resolve(), Refreshed)
    row = seed_world.row
    assert (row["sid"], row["gen"], row["note"], row["jti_prev"]) == ("origin-1", 1, "kept", frozenset({"jti-1"}))
    assert row["abs_exp"] == ISSUED_AT + LIFE + 1 + 7 * 86_400


def test_an_older_sign_in_does_not_live_on_through_a_foreign_one(seed_world):
    """The stored token is another sign-in's: committed for it, the presenter is displaced."""
    seed_world.provider.answers = [NewTokens(seed_world.token("jti-2", at=LIFE + 1, origin_jti="origin-2"), "rt-2")]
    seed_world.clock.advance(LIFE + 1)
    assert seed_world.resolve() == Rejected(Reason.DISPLACED)
    assert (seed_world.row["sid"], seed_world.row["token"]) == ("origin-2", "rt-2")
    assert seed_world.row["jti_prev"] == frozenset({"*"})


def test_a_foreign_token_over_a_suspicion_is_not_condemned_by_it():
    """Foreign code set `token` on a row under suspicion: the suspicion was about the token before."""
    world = World()
    world.sign_in()
    world.edit(token="rt-foreign", suspect_at=ISSUED_AT, retry_at=ISSUED_AT + LIFE + 99, lease_for="old", lease_n=3)
    world.clock.advance(LIFE + 1)
    assert isinstance(world.resolve(), Refreshed)
    assert world.provider.requests[0].refresh_token == "rt-foreign"


def test_a_foreign_sign_in_over_a_tombstone_is_a_new_session(world):
    """Only `token` was set on a tombstone: foreign before ended."""
    run(log_out(world.context, f"token={world.token()}"), world.ports)
    world.edit(token="rt-foreign")
    assert type(world.resolve()) is Active
    world.clock.advance(LIFE + 1)
    assert isinstance(world.resolve(), Refreshed)
    assert world.row["state"] == "active"
