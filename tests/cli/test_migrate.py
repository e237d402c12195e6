"""`table migrate`: every session of a one-row table lives on in one with a sort key, however often it is run or broken off."""

from __future__ import annotations

from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest

from cognito_session import Active, Refreshed, Rejected, SessionPolicy
from cognito_session.aws.transport.interface import AnswerLost, ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.record import USER_SID
from cognito_session.ops.adoption import adopter
from cognito_session.ops.migration import Fate, Migration, check_layouts
from cognito_session.ops.moved_row import MARK
from cognito_session.ops.table import Layout, Tables
from support.sealing_keys import ring
from support.stack import cookie_of, make_app

numbers = count(1)
KEYS = ring(1)
CAREFUL = SessionPolicy(on_reuse="reject")


class Move:
    """An app on its old table, and the new table it moves to."""

    def __init__(self, stack, **settings):
        self.stack = stack
        self.app = make_app(stack, **settings)
        self.new_table = stack.create_table(f"new-{next(numbers)}", sort_key="sid")
        self.old = self.app.manager(policy=CAREFUL)
        self.new = self.manager_of_new()

    def manager_of_new(self, **keywords):
        """A manager on the new table."""
        return self.app.manager(session_table=self.new_table, sort_key="sid", policy=CAREFUL, **keywords)

    def user(self):
        """A user who has signed in with our code: the user and their cookie."""
        user = self.app.user()
        return user, cookie_of(self.old.establish(self.app.sign_in(user)))

    def seed_user(self, **attributes):
        """A user of the seed's sign-in code."""
        user = self.app.user()
        tokens = self.app.sign_in(user)
        row = self.app.seed_row(user, tokens)
        if attributes.pop("with_access_token", False):
            attributes["access_token"] = tokens["AccessToken"]
        self.stack.dynamodb().put_item(self.app.table, row | attributes)
        return user, f"token={tokens['AccessToken']}"

    def tables(self, wire=None, sleep=None):
        """The stack's tables, by its clock."""
        wire = wire or open_wire(environ=self.app.environment)
        return Tables(wire, clock=self.stack.clock, sleep=sleep or (lambda _: None))

    def migration(self, *, wire=None, sleep=None, **settings):
        """One run, not yet begun."""
        rules = TokenRules.of_pool(self.app.pool.user_pool_id, self.app.pool.client_id)
        old = Layout(self.app.table, self.app.partition_key, None)
        new = Layout(self.new_table, self.app.partition_key, "sid")
        return Migration(self.tables(wire, sleep), old=old, new=new, **{"rules": rules, **settings})

    def run(self, **settings):
        """What became of the rows."""
        migration = self.migration(**settings)
        migration.run()
        return dict(migration.counts)

    def rows(self, user, *, new=True):
        """The user's sessions in a table."""
        rows = self.stack.dynamodb().scan(self.new_table if new else self.app.table)
        return [row for row in rows if row[self.app.partition_key] == user.sub and row.get("sid") != USER_SID]


@pytest.fixture
def move(stack):
    """An app about to move."""
    return Move(stack)


def as_before(row):
    """A row without what the move adds."""
    return {name: value for name, value in row.items() if name != MARK}


def test_a_row_of_ours_moves_as_it_is(move):
    """The copy is the row, attribute for attribute, and its cookie is served from the new table."""
    user, cookie = move.user()
    move.stack.dynamodb().call(
        "UpdateItem",
        TableName=move.app.table,
        Key={"sub": {"S": user.sub}},
        UpdateExpression="SET theirs = :v",
        ExpressionAttributeValues={
            ":v": {"M": {"raw": {"B": "AAE="}, "n": {"NS": ["1", "2.5"]}, "l": {"L": [{"NULL": True}]}}}
        },
    )
    assert move.run() == {Fate.MOVED: 1}
    assert [as_before(row) for row in move.rows(user)] == move.rows(user, new=False)
    assert isinstance(move.new.resolve(cookie), Active)
    assert isinstance(move.old.resolve(cookie), Active)


@pytest.mark.parametrize("rotation_grace_seconds", [None, 0], ids=["fixed", "rotating"])
def test_a_moved_session_refreshes(stack, rotation_grace_seconds):
    """An expired cookie is refreshed from the new table, rotation on or off."""
    move = Move(stack, rotation_grace_seconds=rotation_grace_seconds)
    _, cookie = move.user()
    move.run()
    move.app.expire()
    assert isinstance(move.new.resolve(cookie), Refreshed)


def test_sealed_rows_move_sealed(move):
    """Secrets at rest are bound to sub and sid, which do not change: they open in the new table."""
    old = move.app.manager(session_keys=KEYS)
    user = move.app.user()
    cookie = cookie_of(old.establish(move.app.sign_in(user)))
    move.run()
    (row,) = move.rows(user)
    assert row["token"].startswith("sealed.")
    move.app.expire()
    assert isinstance(move.manager_of_new(session_keys=KEYS).resolve(cookie), Refreshed)


def test_sealed_cookies_are_served(move):
    """A sealed cookie names sub, sid and generation, and is served from the new table."""
    settings = {"cookie": "sealed", "session_keys": KEYS}
    old, new = move.app.manager(**settings), move.manager_of_new(**settings)
    cookie = cookie_of(old.establish(move.app.sign_in(move.app.user())))
    move.run()
    assert isinstance(new.resolve(cookie), Active)


def test_other_names_of_keys(stack):
    """Both tables may call their keys otherwise; a stranger's attribute under the new names gives way."""
    move = Move(stack, partition_key="userId")
    new_table = stack.create_table(f"new-{next(numbers)}", partition_key="owner", sort_key="session")
    user, cookie = move.user()
    row = move.rows(user, new=False)[0]
    stack.dynamodb().put_item(move.app.table, row | {"session": "theirs", "sub": "theirs"})
    new = Layout(new_table, "owner", "session")
    old = Layout(move.app.table, "userId", None)
    Migration(move.tables(), old=old, new=new).run()
    (copy,) = stack.dynamodb().scan(new_table)
    assert (copy["owner"], copy["session"]) == (user.sub, row["sid"])
    assert "userId" not in copy
    manager = move.app.manager(session_table=new_table, partition_key="owner", sort_key="session")
    assert isinstance(manager.resolve(cookie), Active)


# --- again


def test_twice_writes_nothing(move):
    """A second run finds every copy as it left it."""
    for _ in range(3):
        move.user()
    move.run()
    before = move.stack.dynamodb().scan(move.new_table)
    move.stack.clear_calls()
    assert move.run() == {Fate.SAME: 3}
    assert move.stack.dynamodb().scan(move.new_table) == before
    assert {call.operation for call in move.stack.calls() if call.service == "dynamodb"} == {"Scan", "GetItem"}


def test_a_refresh_in_the_old_table_comes_over(move):
    """What workers of the old table did after the copy is copied, too: a refresh, data, the idle end."""
    _, cookie = move.user()
    user, quiet = move.user()
    move.run()
    move.app.expire()
    cookie = cookie_of(move.old.resolve(cookie).session)
    move.old.save_data(move.old.resolve(quiet).session, {"cart": 1})
    assert move.run() == {Fate.UPDATED: 2}
    assert isinstance(move.new.resolve(cookie), Active)
    assert as_before(move.rows(user)[0]) == move.rows(user, new=False)[0]


def test_a_row_that_lives_in_the_new_table_is_left(move):
    """Once the new table's copy has been used, nothing of the old table is written over it."""
    user, cookie = move.user()
    move.run()
    move.app.expire()
    newer = cookie_of(move.new.resolve(cookie).session)
    before = move.rows(user)
    move.old.resolve(cookie)
    assert move.run() == {Fate.LEFT: 1}
    assert move.rows(user) == before
    assert isinstance(move.new.resolve(newer), Active)


def test_until_the_next_run_a_row_that_is_behind_ends_nothing(move):
    """Between switch and last run, a refreshed user gets 401 under on_reuse="reject", and is served after that run."""
    _, cookie = move.user()
    move.run()
    move.app.expire()
    newer = cookie_of(move.old.resolve(cookie).session)
    assert isinstance(move.new.resolve(newer), Rejected)
    move.run()
    assert isinstance(move.new.resolve(newer), Active)


# --- what has ended


@pytest.mark.parametrize("used", [False, True], ids=["untouched copy", "copy in use"])
def test_a_sign_out_in_the_old_table_ends_the_copy(move, used):
    """A logout always wins: a session signed out in the old table is ended in the new one, used there or not."""
    user, cookie = move.user()
    move.run()
    if used:
        move.new.resolve(cookie)
    move.old.sign_out(cookie)
    assert move.run() == {Fate.UPDATED: 1}
    assert move.new.resolve(cookie) == Rejected("session_ended")
    assert "token" not in move.rows(user)[0]


def test_a_tombstone_moves(move):
    """A session that has ended before the move is known as ended in the new table."""
    _, cookie = move.user()
    move.old.sign_out(cookie)
    assert move.run() == {Fate.MOVED: 1}
    assert move.new.resolve(cookie) == Rejected("session_ended")


def test_a_session_ended_in_the_new_table_stays_ended(move):
    """The old table's living row does not bring it back."""
    _, cookie = move.user()
    move.run()
    move.new.sign_out(cookie)
    assert move.run() == {Fate.LEFT: 1}
    move.old.sign_out(cookie)
    assert move.run() == {Fate.LEFT: 1}
    assert move.new.resolve(cookie) == Rejected("session_ended")


@pytest.mark.parametrize("how", ["replaced", "replaced by other code", "deleted"])
def test_a_copy_whose_session_is_gone_is_ended(move, how):
    """A second sign-in, or a deletion, ended the session in the old table; its copy does not outlive it."""
    user, cookie = move.user()
    move.user()
    move.run()
    second = None
    if how == "replaced":
        second = cookie_of(move.old.establish(move.app.sign_in(user)))
    elif how == "deleted":
        move.stack.dynamodb().delete_item(move.app.table, {"sub": user.sub})
    else:
        move.app.seed_row(user, move.app.sign_in(user))
    assert move.run()[Fate.ENDED] == 1
    assert move.new.resolve(cookie) == Rejected("session_ended")
    if second is not None:
        assert isinstance(move.new.resolve(second), Active)
    assert Fate.ENDED not in move.run()


def test_a_sign_in_of_the_new_table_is_nobodys_copy(move):
    """Sessions that began in the new table, and copies that are used there, are not the old table's to end."""
    user, cookie = move.user()
    move.user()
    move.run()
    move.new.resolve(cookie)
    second = cookie_of(move.new.establish(move.app.sign_in(user)))
    move.stack.dynamodb().delete_item(move.app.table, {"sub": user.sub})
    assert Fate.ENDED not in move.run()
    assert isinstance(move.new.resolve(cookie), Active)
    assert isinstance(move.new.resolve(second), Active)


def test_an_emptied_old_table_ends_nothing(move):
    """If an operator clears the old table after the move, the next run signs no user out."""
    user, cookie = move.user()
    move.run()
    move.stack.dynamodb().delete_item(move.app.table, {"sub": user.sub})
    assert move.run() == {}
    assert isinstance(move.new.resolve(cookie), Active)


def test_copies_of_another_table_are_not_judged(move):
    """Two old tables may move into one new table: neither run ends the other's copies."""
    _, cookie = move.user()
    move.run()
    other = make_app(move.stack)
    other.manager().establish(other.sign_in(other.user()))
    Migration(move.tables(), old=Layout(other.table, "sub", None), new=Layout(move.new_table, "sub", "sid")).run()
    assert isinstance(move.new.resolve(cookie), Active)


def test_signed_out_everywhere_stays_so(move):
    """`not_before` moves into the user's own row: a sign-in from before it does not land in the new table."""
    user, _ = move.user()
    late = move.app.sign_in(user)
    move.stack.advance(2)
    move.old.revoke_all(user.sub)
    never_here = move.app.user()
    late_too = move.app.sign_in(never_here)
    move.stack.advance(2)
    move.old.revoke_all(never_here.sub)
    assert move.run() == {Fate.MOVED: 1, Fate.EMPTY: 1}
    for tokens in (late, late_too):
        with pytest.raises(Exception, match="signed out everywhere") as refused:
            move.new.establish(tokens)
        assert refused.value.reason == "signed_out"
    move.stack.advance(1)  # three seconds after the sign-out: beyond the clock tolerance
    assert isinstance(move.new.resolve(cookie_of(move.new.establish(move.app.sign_in(user)))), Active)


def test_an_old_sign_out_everywhere_is_not_carried(move):
    """After a day no sign-in from before it can arrive any more, and the user's row is not made."""
    user, _ = move.user()
    move.old.revoke_all(user.sub)
    move.stack.advance(26 * 3600)
    assert move.run() == {Fate.MOVED: 1}
    assert [row["sid"] == USER_SID for row in move.stack.dynamodb().scan(move.new_table)] == [False]


# --- rows that other code wrote


def test_a_bare_row_without_a_token_that_tells_stays(move):
    """It keeps working in the old table; a refresh there gives it a session id, and the next run moves it."""
    user, cookie = move.seed_user()
    migration = move.migration()
    migration.run()
    assert migration.left == [(Fate.UNPLACED, user.sub)]
    assert isinstance(move.old.resolve(cookie), Active)
    move.app.expire()
    cookie = cookie_of(move.old.resolve(cookie).session)
    assert move.run() == {Fate.MOVED: 1}
    assert isinstance(move.new.resolve(cookie), Active)


def test_what_a_row_says_reaches_no_terminal(move, command):
    """A sub with line ends and control characters is listed escaped, in one line."""
    row = {"token": "opaque", "timestamp": int(move.stack.clock.now())}
    move.stack.dynamodb().put_item(move.app.table, row | {move.app.partition_key: "a\nunplaced forged\x1b[2J\u202e"})
    env = move.app.environment | {"SORT_KEY": "sid"}
    arguments = ("table", "migrate", "--from", move.app.table, "--to", move.new_table, "--list-left")
    said = command(*arguments, env=env, status=1).stdout
    assert r"unplaced 'a\nunplaced forged\x1b[2J\u202e'" in said
    assert all(line.isprintable() for line in said.splitlines())
    assert sum(line.startswith("unplaced ") for line in said.splitlines()) == 1


def test_a_bare_row_with_an_access_token_moves(move):
    """The access token beside it tells the session id; served at once, refreshed and adopted in the new table."""
    user, cookie = move.seed_user(with_access_token=True)
    assert move.run() == {Fate.MOVED: 1}
    assert move.run() == {Fate.SAME: 1}
    assert isinstance(move.new.resolve(cookie), Active)
    move.app.expire()
    assert isinstance(move.new.resolve(cookie), Refreshed)
    assert move.rows(user)[0]["gen"] == 1


def test_a_bare_copy_is_not_ended_by_a_run_that_knows_no_pool(move):
    """Without the pool's ids a foreign row cannot be placed, and its copy of an earlier run is left alone."""
    _, cookie = move.seed_user(with_access_token=True)
    move.run()
    assert move.run(rules=None) == {Fate.UNPLACED: 1}
    assert isinstance(move.new.resolve(cookie), Active)


@pytest.mark.parametrize("wrong", ["someone else's", "garbage", "ours, from before"])
def test_an_access_token_that_does_not_tell_is_not_believed(move, wrong):
    """Another user's, an unreadable one, or one of the sign-in before: the row is not placed by it."""
    if wrong == "ours, from before":
        user, _ = move.user()
        move.app.foreign_update(user, move.app.sign_in(user))
    else:
        other = move.app.sign_in(move.app.user())["AccessToken"]
        move.seed_user(access_token=other if wrong == "someone else's" else "eyJ.x.y")
    assert move.run() == {Fate.UNPLACED: 1}
    assert move.stack.dynamodb().scan(move.new_table) == []


def test_refresh_gives_a_bare_row_its_session_id(move):
    """One refresh call, under the library's lease in the old table; the browser's older token is healed in the new one."""
    user, cookie = move.seed_user()
    counts = move.run(adopt=adopter(move.old.context, move.old.ports))
    assert counts == {Fate.REFRESHED: 1, Fate.MOVED: 1}
    assert move.stack.count("GetTokensFromRefreshToken") == 1
    outcome = move.new.resolve(cookie)
    assert isinstance(outcome, Active)
    assert isinstance(move.new.resolve(cookie_of(outcome.session)), Active)
    assert isinstance(move.old.resolve(cookie), Active)
    assert move.rows(user)[0]["gen"] == 1


def test_refresh_of_a_dead_token_ends_the_row(move):
    """A refresh token that Cognito has revoked is told, and its row is no living session any more."""
    user, _ = move.seed_user()
    move.old.ports.provider.revoke(move.rows(user, new=False)[0]["token"])
    assert move.run(adopt=adopter(move.old.context, move.old.ports)) == {Fate.REFUSED: 1}
    assert move.run() == {Fate.EMPTY: 1}
    assert isinstance(move.old.resolve(cookie_of(move.old.establish(move.app.sign_in(user)))), Active)


def test_refresh_while_cognito_is_out(move):
    """A refresh that fails leaves the row as it is, left in the old table, with the reason reported."""
    _, cookie = move.seed_user()
    move.stack.fault("GetTokensFromRefreshToken", "error500", times=2)
    migration = move.migration(adopt=adopter(move.old.context, move.old.ports))
    migration.run()
    assert dict(migration.counts) == {Fate.UNPLACED: 1}
    assert "Cognito" in migration.last_fault
    assert isinstance(move.old.resolve(cookie), Active)


def test_a_row_under_a_live_lease_waits(move):
    """A row that is being refreshed is not copied; when the lease is over it is."""
    user, cookie = move.user()
    soon = int((move.stack.clock.now() + 6) * 1000)
    row = move.rows(user, new=False)[0] | {"lease_id": "worker", "lease_until": soon, "lease_n": 1}
    move.stack.dynamodb().put_item(move.app.table, row)
    assert move.run() == {Fate.BUSY: 1}
    move.stack.advance(10)
    assert move.run() == {Fate.MOVED: 1}
    assert isinstance(move.new.resolve(cookie), Active)


def test_rows_of_foreign_types_and_without_session_are_counted(move):
    """A row that cannot be read, and one without any token, are told apart and left."""
    move.stack.dynamodb().put_item(move.app.table, {"sub": "a", "token": 5})
    move.stack.dynamodb().put_item(move.app.table, {"sub": "b", "note": "theirs"})
    assert move.run() == {Fate.UNREADABLE: 1, Fate.EMPTY: 1}


def test_a_dry_run_counts_and_writes_nothing(move):
    """The counts are those of the run to come; no table is written, no session is refreshed, nothing is deleted."""
    gone, _ = move.user()
    move.run()
    move.stack.dynamodb().delete_item(move.app.table, {"sub": gone.sub})
    out, _ = move.user()
    move.old.revoke_all(out.sub)
    move.user()
    move.seed_user()
    move.stack.clear_calls()
    counts = move.run(dry_run=True, delete_old=True, adopt=adopter(move.old.context, move.old.ports))
    assert counts == {Fate.MOVED: 2, Fate.UNPLACED: 1, Fate.ENDED: 1}
    assert {call.operation for call in move.stack.calls()} == {"Scan", "GetItem"}
    assert move.run() == counts


# --- deleting


def test_delete_old_after_a_proved_copy(move):
    """Rows with a copy are deleted, the others stay; the copies are the new table's own from then on."""
    _, cookie = move.user()
    _, ended = move.user()
    move.old.sign_out(ended)
    left, _ = move.seed_user()
    counts = move.run(delete_old=True)
    assert counts == {Fate.MOVED: 2, Fate.DELETED: 2, Fate.UNPLACED: 1}
    assert [row["sub"] for row in move.stack.dynamodb().scan(move.app.table)] == [left.sub]
    assert move.run() == {Fate.UNPLACED: 1}
    assert isinstance(move.new.resolve(cookie), Active)
    assert move.new.resolve(ended) == Rejected("session_ended")
    assert not any(MARK in row for row in move.stack.dynamodb().scan(move.new_table))


def test_delete_old_of_rows_used_since(move):
    """A copy that is in use in the new table proves the move as well."""
    _, cookie = move.user()
    move.run()
    move.new.resolve(cookie)
    assert move.run(delete_old=True) == {Fate.LEFT: 1, Fate.DELETED: 1}
    assert isinstance(move.new.resolve(cookie), Active)


class Meddler:
    """A wire on which something happens just before an operation, or whose answers get lost."""

    def __init__(self, move, operation, before=None, after=None):
        self.inner = open_wire(environ=move.app.environment)
        self.operation, self.before, self.after = operation, before, after

    def call(self, service, operation, payload, **settings):
        mine = operation == self.operation
        before, after = (self.before, self.after) if mine else (None, None)
        if mine:
            self.before = self.after = None
        if before:
            before()
        answer = self.inner.call(service, operation, payload, **settings)
        if after:
            raise after
        return answer


def test_a_row_that_changes_before_its_deletion_stays(move):
    """The deletion is conditional on the row as read: a refresh in between keeps it."""
    user, cookie = move.user()
    move.app.expire()
    got = []
    wire = Meddler(move, "TransactWriteItems", before=lambda: got.append(move.old.resolve(cookie)))
    assert move.run(delete_old=True, wire=wire) == {Fate.MOVED: 1, Fate.CHANGED: 1}
    assert move.rows(user, new=False)[0]["gen"] == 2
    assert move.run(delete_old=True) == {Fate.UPDATED: 1, Fate.DELETED: 1}
    assert isinstance(move.new.resolve(cookie_of(got[0].session)), Active)


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems"])
def test_a_lost_answer_is_looked_up(move, operation):
    """A write whose answer was lost is repeated, and found to have been done."""
    _, cookie = move.user()
    wire = Meddler(move, operation, after=AnswerLost("time out"))
    assert move.run(delete_old=True, wire=wire)[Fate.DELETED] == 1
    assert isinstance(move.new.resolve(cookie), Active)


def test_a_copy_used_between_look_and_write_is_not_overwritten(move):
    """The write is conditional on the copy as read: a request in between makes the row the new table's."""
    user, cookie = move.user()
    move.run()
    move.old.save_data(move.old.resolve(cookie).session, {"n": 1})
    wire = Meddler(move, "PutItem", before=lambda: move.new.resolve(cookie))
    assert move.run(wire=wire) == {Fate.LEFT: 1}
    assert "data" not in move.rows(user)[0]


# --- trouble


def test_throttling_is_waited_out(move):
    """A throttled or failing DynamoDB is asked again after a pause; what is no outage ends the run."""
    _, cookie = move.user()
    for operation, kind in (("Scan", "throttle"), ("GetItem", "error500"), ("PutItem", "throttle")):
        move.stack.fault(operation, kind, times=1)
    pauses = []
    assert move.run(sleep=pauses.append) == {Fate.MOVED: 1}
    assert len(pauses) == 3
    assert isinstance(move.new.resolve(cookie), Active)

    refusal = ServiceError("dynamodb.Scan", "ValidationException", 400)
    with pytest.raises(ConfigurationError, match="Scan"):
        move.run(wire=SimpleNamespace(call=lambda *_, **__: (_ for _ in ()).throw(refusal)))


def test_wrong_tables_are_refused(move):
    """A new table without sort key, an old one with one, a missing one: named before anything is written."""
    right = Layout(move.app.table, "sub", None), Layout(move.new_table, "sub", "sid")
    check_layouts(move.tables(), *right)
    for old, new in (
        (right[0], Layout(move.app.table, "sub", "sid")),
        (Layout(move.new_table, "sub", None), right[1]),
        (Layout("nowhere", "sub", None), right[1]),
    ):
        with pytest.raises(ValueError, match=r"sort key|no table"):
            check_layouts(move.tables(), old, new)


# --- the command, on many rows


class Stop(KeyboardInterrupt):
    """The operator's Ctrl-C."""


def test_two_hundred_rows_an_interruption_and_traffic(move, command):
    """A mixed table moves in two runs with an interruption and traffic between them; then everybody is where they were."""
    ours = [move.user() for _ in range(90)]
    gone = [move.user() for _ in range(20)]
    for _, cookie in gone:
        move.old.sign_out(cookie)
    telling = [move.seed_user(with_access_token=True) for _ in range(40)]
    bare = [move.seed_user() for _ in range(40)]
    foreign = [move.user() for _ in range(10)]
    for index, (user, _) in enumerate(foreign):
        tokens = move.app.sign_in(user)
        move.app.foreign_update(user, tokens)
        foreign[index] = user, f"token={tokens['AccessToken']}"

    seen = Counter()

    def progress():
        seen["rows"] += 1
        if seen["rows"] == 120:
            raise Stop

    with pytest.raises(Stop):
        move.migration(progress=progress).run()
    copied = len(move.stack.dynamodb().scan(move.new_table))
    assert 0 < copied <= 120

    move.app.expire()
    served = {}
    for user, cookie in [*ours[:30], *telling[:10], *bare[:15], *foreign[:5]]:
        served[user.sub] = cookie_of(move.old.resolve(cookie).session)
    out = ours[30:35]
    for _, cookie in out:
        move.old.sign_out(cookie)
    displaced = ours[35:40]
    for user, _ in displaced:
        served[user.sub] = cookie_of(move.old.establish(move.app.sign_in(user)))
    newcomers = [move.user() for _ in range(5)]

    env = move.app.environment | {"SORT_KEY": "sid"}
    arguments = ("table", "migrate", "--from", move.app.table, "--to", move.new_table)
    before = move.stack.dynamodb().scan(move.new_table)
    command(*arguments, "--dry-run", env=env, status=1)
    assert move.stack.dynamodb().scan(move.new_table) == before
    result = command(*arguments, "--list-left", env=env, status=1)
    assert "      30  no session id yet" in result.stdout
    assert result.stdout.count("unplaced ") == 30
    assert "must sign in again" in result.stderr

    waiting = [*bare[15:], *foreign[5:]]
    living = [*ours[:30], *ours[35:], *telling, *bare[:15], *foreign[:5], *newcomers]
    for user, cookie in living:
        assert isinstance(move.new.resolve(served.get(user.sub, cookie)), Active)
    for _, cookie in [*gone, *out]:
        assert move.new.resolve(cookie) == Rejected("session_ended")
    for user, cookie in displaced:
        assert isinstance(move.new.resolve(cookie), Rejected), user
    for _, cookie in waiting:
        assert move.new.resolve(cookie) == Rejected("unknown_session")

    result = command(*arguments, "--refresh", env=env)
    assert "      30  refreshed" in result.stdout
    for _, cookie in waiting:
        assert isinstance(move.new.resolve(cookie), Active)

    result = command(*arguments, "--delete-old", "--yes", env=env)
    assert "     205  deleted from the old table" in result.stdout
    assert move.stack.dynamodb().scan(move.app.table) == []
    for user, cookie in [*living, *waiting][::4]:
        assert isinstance(move.new.resolve(served.get(user.sub, cookie)), Active)


def test_the_command_says_what_is_missing(move, command):
    """No SORT_KEY, the wrong tables, no consent to delete: one line each, nothing written."""
    env = move.app.environment
    move.user()
    arguments = ("table", "migrate", "--from", move.app.table, "--to", move.new_table)
    assert "SORT_KEY is not set" in command(*arguments, env=env, status=1).stderr
    env = env | {"SORT_KEY": "sid"}
    command(*arguments, "--delete-old", env=env, status=1)
    swapped = ("table", "migrate", "--from", move.new_table, "--to", move.app.table)
    assert "sort key" in command(*swapped, env=env, status=1).stderr
    assert move.stack.dynamodb().scan(move.new_table) == []


def test_an_interrupted_command_tells_how_far_it_came(move, command):
    """An outage that outlasts all patience ends the run with its counts and the word that it goes on by itself."""
    move.user()
    plain = {name: value for name, value in move.app.environment.items() if name not in ("USER_POOL_ID", "CLIENT_ID")}
    env = plain | {"SORT_KEY": "sid"}
    arguments = ("table", "migrate", "--from", move.app.table, "--to", move.new_table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cognito_session.ops.repeated_calls._PAUSES", ())
        move.stack.fault("PutItem", "error500", times=1)
        result = command(*arguments, env=env, status=1)
    assert "run it again" in result.stderr
    assert "copied into the new table" in command(*arguments, env=env).stdout


def test_an_old_table_without_rows_is_told(move, command):
    """A run that has nothing to do says so, so that a wrong table's name is noticed."""
    env = {**move.app.environment, "SORT_KEY": "sid"}
    said = command("table", "migrate", "--from", move.app.table, "--to", move.new_table, env=env).stdout
    assert "the old table has no rows" in said
