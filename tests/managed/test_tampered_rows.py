"""A writer of the table: what they change in a row is not believed, and what they put back does not outlive its tokens.

The writer knows no key and every stored value of every row, of every moment. What holds without keys is told apart.
"""

from __future__ import annotations

import json

import pytest

from cognito_session import Active, ConfigurationError, Refreshed, Rejected, SessionPolicy, SessionUnavailable, session
from cognito_session.core.protocol.record import token_hash
from cognito_session.core.protocol.row_code import COVERED
from managed.scene import Reports, ring, rows, sealed, session_rows
from support.stack import cookie_of, done, event_v2
from support.tokens import Issuer, flipped

READ, REFRESH, REVOKE = "GetItem", "GetTokensFromRefreshToken", "RevokeToken"
GONE = ...
UNSEALED = SessionPolicy(accept_unsealed_rows=True)


def with_tokens(app, **keywords):
    """A manager of the token cookie with keys."""
    return app.manager(**{"session_keys": ring(1), **keywords})


def without_keys(app, **keywords):
    """A manager of the token cookie without keys."""
    return app.manager(**keywords)


WITH_KEYS = {"sealed cookie": sealed, "token cookie": with_tokens}


@pytest.fixture(params=WITH_KEYS.values(), ids=WITH_KEYS)
def made_by(request):
    """Makes a manager with keys, of either kind of cookie."""
    return request.param


def written(app, user, **changes):
    """Write over the user's row as one with access to the table does; `...` removes an attribute."""
    (row,) = session_rows(app, user)
    row = {name: value for name, value in (row | changes).items() if value is not GONE}
    app.stack.dynamodb().put_item(app.table, row)
    return row


def row_of(app, user):
    """The user's row."""
    (row,) = session_rows(app, user)
    return row


class Attack:
    """A session with data of its own, as a thing to tamper with."""

    def __init__(self, app, made_by, **keywords):
        self.app, self.reports = app, Reports()
        self.manager = made_by(app, on_event=self.reports, **keywords)
        self.user = app.user()
        self.tokens = app.sign_in(self.user)
        self.me = self.manager.establish(self.tokens, user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0")
        self.cookie = cookie_of(self.me)
        served = self.manager.resolve(self.cookie).session
        self.manager.save_data(served, {"role": "reader"})
        app.stack.clear_calls()

    def is_refused(self):
        """Could not find out: reported, without a write or a call to Cognito, whatever is asked of the session."""
        before = rows(self.app)
        asked = {
            "request": lambda: self.manager.resolve(self.cookie),
            "data": lambda: self.manager.save_data(self.me, {"role": "admin"}),
            "list": lambda: self.manager.sessions_of(self.user.sub),
        }
        for name, ask in asked.items():
            del self.reports[:]
            with pytest.raises(SessionUnavailable) as caught:
                ask()
            assert caught.value.reason == "tampered_record", name
            assert {report.event for report in self.reports} == {"tampered"}, name
        assert rows(self.app) == before
        assert set(done(self.app.stack)) <= {READ, "Query"}


@pytest.fixture
def attack(app, made_by):
    """A session in each layout, for each kind of cookie."""
    return Attack(app, made_by)


# --- another's token


def test_another_user_s_plain_token_is_not_served(attack):
    """With keys a plain access token in a row of ours is tampering, its own expiry beside it or not."""
    other = attack.app.sign_in(attack.app.user())
    expires_at = row_of(attack.app, attack.user)["access_exp"]
    for changes in ({}, {"access_exp": expires_at}, {"access_exp": expires_at, "row_code": GONE, "idle_code": GONE}):
        written(attack.app, attack.user, access_token=other["AccessToken"], **changes)
        attack.is_refused()


def test_another_user_s_plain_refresh_token_is_not_sent(attack):
    """Nor is a plain refresh token, with a hash that fits: Cognito is not asked, before the expiry or after it."""
    other = attack.app.sign_in(attack.app.user())["RefreshToken"]
    written(attack.app, attack.user, token=other, token_hash=token_hash(other))
    attack.is_refused()
    attack.app.expire()
    attack.is_refused()


@pytest.mark.parametrize("marks", [{"token_hash": GONE}, {"row_code": GONE, "idle_code": GONE, "token_hash": GONE}])
def test_a_row_that_looks_like_other_sign_in_code_s_is_refused(app, marks):
    """A sealed token is never the seed's, and a plain one needs the setting: a token cookie does not adopt such a row."""
    for plain in (False, True):
        attack = Attack(app, with_tokens)
        more = {"token": attack.tokens["RefreshToken"]} if plain else {}
        written(app, attack.user, **marks, **more)
        app.expire()
        with pytest.raises(SessionUnavailable) as caught:
            attack.manager.resolve(attack.cookie)
        assert caught.value.reason == "tampered_record"
        assert done(app.stack) == [READ]


# --- what the row says beside the tokens


ALTERED = {
    "sid": None,
    "state": "ending",
    "gen": 7,
    "cookie_kind": "other",
    "access_iat": 1_000,
    "access_exp": 4_000_000_000,
    "unverified": True,
    "token_origin": "origin",
    "jti_prev": frozenset({"*"}),
    "jti_old": frozenset({"jti"}),
    "gen_prev": 0,
    "gen_old": 0,
    "old_until": 4_000_000_000,
    "prev_exp": 4_000_000_000,
    "auth_time": 4_000_000_000,
    "created_at": 4_000_000_000,
    "abs_exp": 4_000_000_000,
    "sign_in": 9,
    "idle_exp": 4_000_000_000,
    "active_at": 4_000_000_000,
}
"""What is written; a text where a name is not listed."""


@pytest.mark.parametrize("name", sorted({*COVERED, "idle_exp", "active_at", "row_code", "idle_code"} - {"sid"}))
@pytest.mark.parametrize("made_by", WITH_KEYS.values(), ids=WITH_KEYS)
def test_an_altered_attribute_is_not_believed(alone, made_by, name):
    """Each attribute that decides something, with another value and removed."""
    attack = Attack(alone, made_by)
    before = row_of(alone, attack.user)
    changes = [ALTERED.get(name, "another")] + ([GONE] if name in before else [])
    for value in changes:
        alone.stack.dynamodb().put_item(alone.table, before)
        written(alone, attack.user, **{name: value})
        attack.is_refused()


def test_codes_of_another_session_do_not_fit(attack):
    """Codes, ciphertexts and both together, moved between two rows of one user and of two."""
    others = [attack.user, attack.app.user()] if attack.app.sort_key else [attack.app.user()]
    mine = row_of(attack.app, attack.user)
    for other in others:
        attack.manager.establish(attack.app.sign_in(other))
        (theirs,) = [row for row in session_rows(attack.app, other) if row["sid"] != mine["sid"]]
        for names in (("row_code",), ("idle_code",), ("row_code", "idle_code"), ("token", "token_hash", "access_token")):
            attack.app.stack.dynamodb().put_item(attack.app.table, mine | {name: theirs[name] for name in names})
            attack.app.stack.clear_calls()
            attack.is_refused()


def test_parts_of_an_earlier_generation_do_not_fit(attack):
    """After a refresh, the earlier generation's code, tokens and marks are not to be mixed with the present ones."""
    before = row_of(attack.app, attack.user)
    attack.app.expire()
    attack.cookie = cookie_of(attack.manager.resolve(attack.cookie).session)
    attack.manager.resolve(attack.cookie)
    after = row_of(attack.app, attack.user)
    attack.app.stack.clear_calls()
    for names in (("row_code",), ("access_token", "access_exp"), ("token", "token_hash"), ("token",), ("gen",), ("jti_cur",)):
        attack.app.stack.dynamodb().put_item(attack.app.table, after | {name: before[name] for name in names})
        attack.is_refused()


def test_state_removed_from_an_ended_session_opens_nothing(attack):
    """The tombstone holds no token: without `state`, and with the codes of the living row, it is no session."""
    living = row_of(attack.app, attack.user)
    attack.manager.sign_out(attack.cookie)
    assert not {"row_code", "idle_code"} & set(row_of(attack.app, attack.user))
    codes = {name: living[name] for name in ("row_code", "idle_code")}
    written(attack.app, attack.user, state=GONE, **codes)
    assert attack.manager.resolve(attack.cookie) == Rejected("unknown_session")
    written(attack.app, attack.user, state="active", **codes)
    assert attack.manager.resolve(attack.cookie) == Rejected("unknown_session")


# --- data


def test_data_is_sealed_and_bound_to_its_version(attack):
    """Plain, altered, another session's, or an earlier text under a later version: not believed."""
    first = row_of(attack.app, attack.user)
    assert first["data"].startswith("sealed.")
    attack.manager.save_data(attack.manager.resolve(attack.cookie).session, {"role": "nobody"})
    row = row_of(attack.app, attack.user)
    other = Attack(attack.app, sealed if attack.manager.context.sealed_cookie else with_tokens)
    attack.app.stack.clear_calls()
    forged = [json.dumps({"role": "admin"}), flipped(row["data"], 60), first["data"], row_of(other.app, other.user)["data"]]
    for data in forged:
        before = written(attack.app, attack.user, data=data)
        with pytest.raises(SessionUnavailable) as caught:
            attack.manager.resolve(attack.cookie)
        assert caught.value.reason == "tampered_record"
        with pytest.raises(SessionUnavailable):
            attack.manager.save_data(attack.me.with_data({}, before["data_version"]), {"role": "admin"})
        assert attack.reports.named("tampered")
        assert row_of(attack.app, attack.user) == before


def test_data_may_be_put_back_to_an_earlier_version_of_the_same_session(attack):
    """What stays possible, as docs/security/rows.md says: an earlier text with its own version is believed again."""
    first = row_of(attack.app, attack.user)
    attack.manager.save_data(attack.manager.resolve(attack.cookie).session, {"role": "nobody"})
    written(attack.app, attack.user, data=first["data"], data_version=first["data_version"])
    assert attack.manager.resolve(attack.cookie).session.data == {"role": "reader"}


# --- an older copy of the whole row


def test_an_older_copy_lives_no_longer_than_its_access_token(attack):
    """Put back after a sign-out it is served until its access token ends; then Cognito refuses the revoked token."""
    copy = row_of(attack.app, attack.user)
    attack.manager.sign_out(attack.cookie)
    attack.app.stack.dynamodb().put_item(attack.app.table, copy)
    assert type(attack.manager.resolve(attack.cookie)) is Active
    attack.app.expire()
    assert attack.manager.resolve(attack.cookie) == Rejected("refresh_denied")
    assert attack.manager.resolve(attack.cookie) == Rejected("session_ended")


def test_an_earlier_idle_end_only_takes_time_away(attack):
    """The idle end and its code of an earlier moment are believed, and end the session sooner."""
    before = row_of(attack.app, attack.user)
    attack.app.stack.advance(10_000)
    attack.cookie = cookie_of(attack.manager.resolve(attack.cookie).session)
    attack.app.stack.advance(80_000)
    attack.cookie = cookie_of(attack.manager.resolve(attack.cookie).session)
    names = ("idle_exp", "active_at", "idle_code")
    written(attack.app, attack.user, **{name: before[name] for name in names})
    assert attack.manager.resolve(attack.cookie) == Rejected("idle_timeout")


def test_a_plain_token_to_be_revoked_is_not_sent(app):
    """Nor is a plain refresh token that was put where tokens wait to be revoked, or into a row before its sign-out."""
    attack = Attack(app, sealed)
    key = {} if app.sort_key is None else {"sid": "#user"}
    other = app.sign_in(app.user())["RefreshToken"]
    waiting = frozenset({f"{attack.me.sid} {other}"})
    if app.sort_key:
        app.stack.dynamodb().put_item(app.table, {"sub": attack.user.sub, **key, "unrevoked": waiting})
    else:
        written(app, attack.user, unrevoked=waiting)
    attack.manager.revoke_all(attack.user.sub)
    assert app.stack.refresh(app.pool, other)
    attack = Attack(app, sealed)
    written(app, attack.user, token=other, token_hash=token_hash(other))
    attack.manager.sign_out(attack.cookie)
    assert app.stack.refresh(app.pool, other)
    assert attack.reports.named("revoke_failed")


@pytest.mark.parametrize("made_by", WITH_KEYS.values(), ids=WITH_KEYS)
def test_requests_that_move_the_idle_end_prove_it(app, made_by):
    """The first request of a session does, and later ones: the next request finds a row that proves what it says."""
    manager = made_by(app, policy=SessionPolicy(idle_seconds=200))
    cookie, ends = cookie_of(manager.establish(app.sign_in(user := app.user()))), []
    for _ in range(3):
        app.stack.advance(30)
        assert type(manager.resolve(cookie)) is Active
        ends.append(row_of(app, user)["idle_exp"])
    assert ends == sorted(set(ends))
    assert type(manager.resolve(cookie)) is Active


# --- kinds of cookie


@pytest.fixture(params=[without_keys, with_tokens], ids=["without keys", "with keys"])
def other_kind(request, app):
    """A manager of the token cookie, on a table whose sessions are sealed ones."""
    return request.param(app)


@pytest.mark.parametrize("expired", [False, True])
def test_a_token_from_a_log_does_not_open_a_sealed_session(app, other_kind, expired):
    """The session's own access token, presented as a token cookie: denied, without a write or a call to Cognito."""
    manager, user = sealed(app), app.user()
    me = manager.establish(app.sign_in(user))
    cookie = cookie_of(me)
    assert isinstance(manager.resolve(cookie), Active)
    if expired:
        app.expire()
    before = rows(app)
    app.stack.clear_calls()
    assert other_kind.resolve(f"token={me.access_token}") == Rejected("wrong_cookie_kind")
    other_kind.sign_out(f"token={me.access_token}")
    assert rows(app) == before
    assert set(done(app.stack)) <= {READ, "Query"}
    assert isinstance(manager.resolve(cookie), Refreshed if expired else Active)


def test_a_stripped_kind_does_not_open_it_either(app):
    """With keys the kind is part of what the row proves."""
    manager, user = sealed(app), app.user()
    me = manager.establish(app.sign_in(user))
    for kind in (GONE, "token"):
        written(app, user, cookie_kind=kind)
        with pytest.raises(SessionUnavailable) as caught:
            with_tokens(app).resolve(f"token={me.access_token}")
        assert caught.value.reason == "tampered_record"


# --- rows from before there were keys


def test_rows_of_the_seed_need_the_setting(alone):
    """With keys and without `accept_unsealed_rows` a plain row is "could not find out", named in the message; with it, it is
    refreshed once and sealed from then on.
    """
    user = alone.user()
    tokens = alone.sign_in(user)
    row = alone.seed_row(user, tokens)
    cookie = f"token={tokens['AccessToken']}"
    with pytest.raises(SessionUnavailable, match="accept_unsealed_rows") as caught:
        with_tokens(alone).resolve(cookie)
    assert caught.value.reason == "tampered_record"
    assert rows(alone) == [row]
    alone.expire()
    accepted = with_tokens(alone, policy=UNSEALED).resolve(cookie)
    assert isinstance(accepted, Refreshed)
    assert row_of(alone, user)["token"].startswith("sealed.")
    assert isinstance(with_tokens(alone).resolve(cookie_of(accepted.session)), Active)


def test_the_setting_in_the_environment(alone, monkeypatch):
    """SESSION_ACCEPT_UNSEALED_ROWS does for `session()` what the policy does; another value is a ConfigurationError."""
    tokens = alone.sign_in(user := alone.user())
    alone.seed_row(user, tokens)
    for name, value in {**alone.environment, "SESSION_KEYS": ring(1)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("cognito_session.assembly.SystemClock", lambda: alone.stack.clock)
    event = event_v2(f"token={tokens['AccessToken']}")
    with pytest.raises(SessionUnavailable, match="SESSION_ACCEPT_UNSEALED_ROWS"):
        session("token", event)
    monkeypatch.setenv("SESSION_ACCEPT_UNSEALED_ROWS", "true")
    assert session("token", event).sub == user.sub
    monkeypatch.setenv("SESSION_ACCEPT_UNSEALED_ROWS", "yes")
    with pytest.raises(ConfigurationError, match="SESSION_ACCEPT_UNSEALED_ROWS: expected true or false"):
        session("token", event)


def test_a_tampered_session_can_be_ended(app, made_by):
    """By its user, by an operator, and with all others: that takes rights away, and needs no proof."""
    for end in ("sign_out", "revoke", "revoke_all"):
        attack = Attack(app, made_by)
        written(app, attack.user, auth_time=4_000_000_000)
        if end == "sign_out":
            attack.manager.sign_out(attack.cookie)
        else:
            getattr(attack.manager, end)(attack.user.sub, *([attack.me.sid] if end == "revoke" else []))
        assert attack.manager.resolve(attack.cookie) == Rejected("session_ended")
        with pytest.raises(Exception, match="revoked"):
            app.stack.refresh(app.pool, attack.tokens["RefreshToken"])


@pytest.mark.parametrize("stripped", [False, True], ids=["altered", "passed off as other sign-in code's"])
def test_signing_out_everywhere_names_nobody_whom_an_altered_row_names(app, made_by, stripped):
    """Cognito signs out the user who asks. One whose name was written into the row keeps their tokens, and it is reported."""
    attack = Attack(app, made_by)
    victim = app.user()
    tokens = app.sign_in(victim)
    own = app.sign_in(attack.user)["RefreshToken"]
    plain = {"token": own, "row_code": GONE, "idle_code": GONE} if stripped else {}
    written(app, attack.user, username=victim.username, **plain)
    attack.manager.revoke_all(attack.user.sub)
    assert app.stack.refresh(app.pool, tokens["RefreshToken"])
    with pytest.raises(Exception, match="revoked"):
        app.stack.refresh(app.pool, own)
    assert bool(attack.reports.named("tampered")) is not (stripped and attack.manager.context.sealed_cookie)


def test_an_old_cookie_travels_no_longer_than_the_overlap_whatever_the_row_says_of_its_use(attack):
    """`seen_at` has no code: one from the future does not get old cookies an end of their own that the row proves."""
    old = attack.cookie
    cookie = old
    for _ in range(3):
        attack.app.expire()
        cookie = cookie_of(attack.manager.resolve(cookie).session)
        attack.manager.resolve(cookie)
        written(attack.app, attack.user, seen_at=4_000_000_000)
    attack.app.expire()
    attack.manager.resolve(cookie)
    attack.app.stack.advance(61)
    assert attack.manager.resolve(old) == Rejected("reuse")


def test_a_row_that_was_away_at_the_sign_out_is_ended_by_signing_out_everywhere(app):
    """What stays possible, as docs/security/rows.md says: a sign-out cannot revoke a token that no row holds.

    Put back, the row is a session again, refreshes included. Signing out everywhere revokes its token at Cognito.
    """
    attack = Attack(app, sealed)
    copy = row_of(app, attack.user)
    app.stack.dynamodb().put_item(app.table, {name: value for name, value in copy.items() if name not in {"token", "row_code"}})
    attack.manager.sign_out(attack.cookie)
    app.stack.dynamodb().put_item(app.table, copy)
    app.expire()
    assert type(attack.manager.resolve(attack.cookie)) is Refreshed
    attack.manager.revoke_all(attack.user.sub)
    app.stack.dynamodb().put_item(app.table, copy)
    assert attack.manager.resolve(attack.cookie) == Rejected("refresh_denied")


def test_a_sealed_cookie_s_manager_never_takes_plain_data(app):
    """Nor session data: the setting is not for its sessions, which were never without keys."""
    attack = Attack(app, sealed, policy=UNSEALED)
    written(app, attack.user, data=json.dumps({"role": "admin"}))
    with pytest.raises(SessionUnavailable) as caught:
        attack.manager.resolve(attack.cookie)
    assert caught.value.reason == "tampered_record"


def test_a_sealed_cookie_s_manager_never_opens_plain_rows(app):
    """The setting is for token cookies: a sealed session that was stripped of its code stays refused."""
    attack = Attack(app, sealed, policy=UNSEALED)
    other = app.sign_in(attack.user)
    stripped = {"row_code": GONE, "idle_code": GONE, "access_token": other["AccessToken"]}
    written(app, attack.user, **stripped)
    attack.is_refused()
    token = other["RefreshToken"]
    written(app, attack.user, token=token, token_hash=token_hash(token), **stripped)
    attack.is_refused()


def test_other_sign_in_code_over_a_sealed_row(alone):
    """With the setting a sign-in that only sets `token` replaces the session, as without keys; without it, it is a 503."""
    attack = Attack(alone, with_tokens)
    tokens = alone.sign_in(attack.user)
    alone.foreign_update(attack.user, tokens)
    cookie = f"token={tokens['AccessToken']}"
    with pytest.raises(SessionUnavailable) as caught:
        with_tokens(alone).resolve(cookie)
    assert caught.value.reason == "tampered_record"
    accepting = with_tokens(alone, policy=UNSEALED)
    assert isinstance(accepting.resolve(cookie), Active)
    alone.expire()
    served = accepting.resolve(cookie)
    assert isinstance(served, Refreshed)
    assert served.session.data == {}  # the data of the session before is not this one's
    assert isinstance(with_tokens(alone).resolve(cookie_of(served.session)), Active)
    assert with_tokens(alone).resolve(attack.cookie) == Rejected("displaced")


@pytest.mark.parametrize("extend", [True, False])
def test_sessions_from_before_keys_are_sealed_at_their_next_refresh(app, extend):
    """Our own plain rows: refused without the setting, with it served, refreshed and proved from then on, data and all."""
    before, user = without_keys(app), app.user()
    cookie = cookie_of(before.establish(app.sign_in(user)))
    with pytest.raises(SessionUnavailable, match="accept_unsealed_rows"):
        with_tokens(app).resolve(cookie)
    before.save_data(before.resolve(cookie).session, {"cart": [1]})
    with pytest.raises(SessionUnavailable) as caught:
        with_tokens(app).resolve(cookie)
    assert caught.value.reason == "tampered_record"
    between = with_tokens(app, policy=UNSEALED)
    assert between.resolve(cookie).session.data == {"cart": [1]}
    app.expire()
    served = between.resolve(cookie, extend=extend)
    assert isinstance(served, Refreshed)
    assert served.session.data == {"cart": [1]}
    between.save_data(served.session, {"cart": [1, 2]})
    after = with_tokens(app).resolve(cookie_of(served.session))
    assert after.session.data == {"cart": [1, 2]}
    row = row_of(app, user)
    assert all(row[name].startswith("sealed.") for name in ("token", "access_token", "data"))


def test_a_worker_without_keys_leaves_a_proved_row_usable(app):
    """While keys are brought in, a worker that lacks them serves the session; those that have them still believe the row."""
    with_keys = with_tokens(app, policy=SessionPolicy(idle_seconds=200))
    behind = without_keys(app, policy=SessionPolicy(idle_seconds=200))
    cookie = cookie_of(with_keys.establish(app.sign_in(user := app.user())))
    before = row_of(app, user)
    for _ in range(2):
        app.stack.advance(60)
        served = behind.resolve(cookie)
        assert type(served) is Active
    with pytest.raises(ConfigurationError, match="SESSION_KEYS: not set"):
        behind.save_data(served.session, {"cart": [1]})
    assert {name: value for name, value in row_of(app, user).items() if name != "seen_at"} == before
    assert type(with_keys.resolve(cookie)) is Active
    assert row_of(app, user)["idle_exp"] > before["idle_exp"]


def test_a_poll_that_seals_a_row_proves_its_idle_end(app):
    """Workers with and without keys move a plain row's idle end in turn; the refresh of a request that moves none seals it."""
    policy = SessionPolicy(idle_seconds=1_500)
    behind, user = without_keys(app, policy=policy), app.user()
    between = with_tokens(app, policy=SessionPolicy(idle_seconds=1_500, accept_unsealed_rows=True))
    cookie = cookie_of(behind.establish(app.sign_in(user)))
    app.stack.advance(200)
    assert type(between.resolve(cookie)) is Active
    app.stack.advance(200)
    assert type(behind.resolve(cookie)) is Active
    app.expire()
    served = between.resolve(cookie, extend=False)
    assert type(served) is Refreshed
    assert type(with_tokens(app, policy=policy).resolve(cookie_of(served.session))) is Active


def test_a_sign_in_without_keys_over_a_sealed_row(alone):
    """A worker without keys replaces the row whole: no code of the session before stays beside plain tokens."""
    user = alone.user()
    with_tokens(alone).establish(alone.sign_in(user))
    cookie = cookie_of(without_keys(alone).establish(alone.sign_in(user)))
    assert not {"row_code", "idle_code"} & row_of(alone, user).keys()
    assert type(with_tokens(alone, policy=UNSEALED).resolve(cookie)) is Active


def test_a_sealed_secret_is_not_passed_off_as_a_row_from_before_keys(app):
    """With the setting too: a row that lost its code and holds a sealed token is refused."""
    attack = Attack(app, with_tokens, policy=UNSEALED)
    written(app, attack.user, row_code=GONE, idle_code=GONE)
    attack.is_refused()


def test_a_code_by_a_newer_key_waits_for_the_key(app):
    """A worker that lags behind neither rejects nor overwrites; one that has both goes on."""
    newer, older, user = with_tokens(app, session_keys=ring(2, 1)), with_tokens(app), app.user()
    cookie = cookie_of(newer.establish(app.sign_in(user)))
    app.expire()
    before = rows(app)
    with pytest.raises(SessionUnavailable) as caught:
        older.resolve(cookie)
    assert caught.value.reason == "seal_key_unavailable"
    assert rows(app) == before
    assert isinstance(newer.resolve(cookie), Refreshed)


# --- without keys


@pytest.fixture
def healed(alone):
    """A session whose current token only the row has: the earlier one is healed with it. Without keys."""
    attack = Attack(alone, without_keys)
    alone.expire()
    attack.manager.resolve(attack.cookie)
    alone.stack.clear_calls()
    return attack


def forged(attack):
    """The stored token's own claims under a signature of the attacker's, who names the pool's key."""
    from cognito_session.core.crypto.access_token import key_id, unverified_claims

    text = row_of(attack.app, attack.user)["access_token"]
    return Issuer(kid=key_id(text)).mint(unverified_claims(text))


FOREIGN = {
    "another user's": lambda attack: attack.app.sign_in(attack.app.user())["AccessToken"],
    "another sign-in's": lambda attack: attack.app.sign_in(attack.user)["AccessToken"],
    "an earlier one": lambda attack: attack.tokens["AccessToken"],
    "forged": forged,
    "altered": lambda attack: flipped(row_of(attack.app, attack.user)["access_token"], -20),
}


@pytest.mark.parametrize("token", FOREIGN.values(), ids=FOREIGN)
def test_a_plain_token_in_a_row_is_verified_and_must_be_the_row_s(healed, token):
    """Signature, user, sign-in and generation: what is not the record's own is served to nobody, keys or no keys."""
    from cognito_session.core.crypto.access_token import unverified_claims

    text = token(healed)
    expires_at = int(unverified_claims(text)["exp"])
    later = max(expires_at, row_of(healed.app, healed.user)["access_exp"])
    for changes in ({}, {"access_exp": expires_at}) if expires_at == later else ({},):
        written(healed.app, healed.user, access_token=text, **changes)
        with pytest.raises(SessionUnavailable) as caught:
            healed.manager.resolve(healed.cookie)
        assert caught.value.reason == "tampered_record"
        assert healed.reports.named("tampered")
    assert REFRESH not in done(healed.app.stack)


def test_the_row_s_own_token_is_served(healed):
    """The opposite of the test before: unaltered, the earlier cookie is healed."""
    assert isinstance(healed.manager.resolve(healed.cookie), Active)


def test_a_session_keeps_its_rows_proof_when_cognito_changes_the_origin(many):
    """Under rotation `origin_jti` may change: the record says so, and its token is still its own."""
    attack = Attack(many, sealed)
    many.stack.set_rules(origin_jti_changes=True)
    for _ in range(2):
        many.expire()
        outcome = attack.manager.resolve(attack.cookie)
        assert isinstance(outcome, Refreshed)
        attack.cookie = cookie_of(outcome.session)
        assert isinstance(attack.manager.resolve(attack.cookie), Active)
    assert not attack.reports.named("tampered")
