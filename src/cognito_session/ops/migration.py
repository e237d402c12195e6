"""Moves the sessions of a table without sort key into one with a sort key while apps are running, and ends none of them.

1. A row is copied unchanged under (sub, sid), with one more attribute: MARK, the old table's name and the hash of the copy. A
   copy that still has that hash has not been used. Only such a copy is updated or ended.
2. A session that ended in the old table ends in the new one, whatever happened there. One that ended in the new table stays
   ended.
3. There is no checkpoint: each run reads every row and writes only differences, so an interrupted run is simply repeated.
4. A row without a session id, and without an access token that holds it, stays where it is and is counted.

It writes with conditions on what it has read, deletes only in one transaction with the proof of the copy, and prints nothing.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.core.crypto.access_token import parse
from cognito_session.core.errors import ConfigurationError, SessionUnavailable, TokenError
from cognito_session.core.policy import TOMBSTONE_SECONDS
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.conditions import Change, Comparison, WriteKind, either
from cognito_session.core.protocol.record import ENDED, USER_SID, SessionKey, SessionRecord
from cognito_session.core.protocol.session import Reason
from cognito_session.ops.moved_row import MARK, KeyNames, as_read, fingerprint
from cognito_session.ops.repeated_calls import RepeatedCalls
from cognito_session.ops.table import STRONG_CONSISTENCY, key_differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.core.crypto.access_token import TokenRules
    from cognito_session.ops.moved_row import Item
    from cognito_session.ops.table import Layout, Tables

__all__ = ["Fate", "Migration", "check_layouts"]

_PUT_ROUNDS: Final = 3

_FENCE: Final = (
    *("state", "token", "gen", "lease_id", "last_op", "seen_at", "active_at", "idle_exp"),
    *("data_version", "suspect_at", "retry_at", "not_before", "sign_in", "unrevoked", MARK),
    *("device_pending", "device_retry_at"),
)
"""Every write of the protocol changes at least one of these."""


class Fate(StrEnum):
    """The result for a row."""

    MOVED = "copied into the new table"
    UPDATED = "changed since the last run: the copy was brought up to date"
    SAME = "already in the new table"
    LEFT = "used or ended in the new table since it was copied: left as it is there"
    ENDED = "copies whose session has been replaced or deleted in the old table: ended in the new one"
    DELETED = "deleted from the old table"
    CHANGED = "not deleted, because they changed in the meantime"
    REFRESHED = "refreshed, which gave them a session id"
    REFUSED = "refused by Cognito at the refresh: their refresh token was dead, the session has ended"
    EMPTY = "rows without a session: nothing to move"
    BUSY = "being refreshed at the moment: not copied"
    UNPLACED = "no session id yet: left in the old table"
    UNREADABLE = "attributes of a foreign type: left in the old table"


class Migration:
    """One run. `counts` and `left` (fate, sub) grow while it runs, so that an interrupted run can report its progress.

    `rules` lets a foreign row get the session id of the access token in it. `adopt` refreshes a foreign row in the old table.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        old: Layout,
        new: Layout,
        rules: TokenRules | None = None,
        adopt: Callable[[str], None] | None = None,
        delete_old: bool = False,
        dry_run: bool = False,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        self._tables = tables
        self._calls = RepeatedCalls(tables)
        self._old, self._new = KeyNames.of(old), KeyNames.of(new)
        self._store = DynamoDBStore(
            lambda: tables.wire, table=new.table, partition_key=new.partition_key, sort_key=new.sort_key
        )
        self._rules = rules
        self._adopt = adopt
        self._delete_old = delete_old
        self._dry_run = dry_run
        self._progress = progress
        self._met: set[int] = set()
        self.counts: Counter[Fate] = Counter()
        self.left: list[tuple[Fate, str]] = []
        self.last_fault: str | None = None

    @property
    def unfinished(self) -> int:
        """How many rows could not be moved by this run."""
        return len(self.left)

    def run(self) -> None:
        """Move every row of the old table, then end the copies whose session it no longer has. Raises SessionError.

        An empty old table ends nothing: an operator has emptied it after the move.
        """
        for item in self._calls.scan({"TableName": self._old.table}):
            self._count(self._moved(item), str(item[self._old.sub].get("S")))
            self._progress()
        if self.counts:
            self._end_replaced()

    def _count(self, fate: Fate, sub: str) -> None:
        self.counts[fate] += 1
        if fate in (Fate.BUSY, Fate.UNPLACED, Fate.UNREADABLE):
            self.left.append((fate, sub))

    # --- one row of the old table

    def _moved(self, item: Item) -> Fate:
        record = self._old.record(item)
        if record is None:
            return Fate.UNREADABLE
        if record.not_before is not None and not self._dry_run:
            self._carry_not_before(record.key.sub, record.not_before)
        if (record.token is None and not record.ended) or (record.sid == USER_SID and not record.foreign_token):
            return Fate.EMPTY
        if record.lease_is_live(self._tables.clock.now()) and not record.stale_marks:
            return Fate.BUSY
        sid = self._sid(record)
        if sid is not None:
            return self._copied(item, record, sid)
        if self._adopt is None or self._dry_run:
            return Fate.UNPLACED
        return self._adopted(record.key.sub)

    def _sid(self, record: SessionRecord) -> str | None:
        """The session id: the row's own, or that of an access token that other code stored with its refresh token.

        If other code replaced our refresh token, the access token in the row belongs to the earlier sign-in and is not used.
        """
        if not record.foreign_token:
            return record.sid
        if self._rules is None or record.sid is not None or record.token_hash is not None or not record.access_token:
            return None
        try:
            access = parse(record.access_token, self._rules)
        except (TokenError, ConfigurationError):
            return None
        return access.origin_jti if access.sub == record.key.sub else None

    def _adopted(self, sub: str) -> Fate:
        """Refresh the row in the old table, then move the result."""
        if self._adopt is not None:
            try:
                self._adopt(sub)
            except SessionUnavailable as fault:
                self.last_fault = str(fault)
        item = self._calls.get(self._old.table, {self._old.sub: {"S": sub}})
        record = None if item is None else self._old.record(item)
        if item is None or record is None or record.foreign_token:
            return Fate.UNPLACED
        if record.ended or record.sid is None:
            return Fate.REFUSED
        self.counts[Fate.REFRESHED] += 1
        return self._copied(item, record, record.sid)

    def _copied(self, item: Item, record: SessionRecord, sid: str) -> Fate:
        self._met.add(hash((record.key.sub, sid)))
        copy = self._new.copy_of(item, self._old, record.key.sub, sid)
        fate = Fate.LEFT
        for _ in range(_PUT_ROUNDS):
            there = self._calls.get(self._new.table, self._new.key(copy))
            fate = self._fate(record, copy, there)
            if fate not in (Fate.MOVED, Fate.UPDATED) or self._dry_run or self._put(copy, there):
                break
        if self._delete_old and not self._dry_run:
            self.counts[self._deleted(item, copy, fate)] += 1
        return fate

    def _fate(self, record: SessionRecord, copy: Item, there: Item | None) -> Fate:
        """The action for a row, by the item that the new table has under its key."""
        if there is None:
            return Fate.MOVED
        untouched = self._untouched(there)
        if untouched and fingerprint(copy) == fingerprint(there):
            return Fate.SAME
        if there.get("state") == {"S": ENDED}:
            return Fate.LEFT
        ended = record.ended and not record.foreign_token
        return Fate.UPDATED if ended or untouched else Fate.LEFT

    def _put(self, copy: Item, there: Item | None) -> bool:
        """Write the copy if the new table's item is unchanged since it was read."""
        when = as_read(there or {}, (self._new.sub, *_FENCE) if there is None else _FENCE)
        item = {**copy, MARK: {"S": self._mark(copy)}}
        return self._calls.write("PutItem", {"TableName": self._new.table, "Item": item, **when})

    def _deleted(self, item: Item, copy: Item, fate: Fate) -> Fate:
        """Delete the old row if it is unchanged and the new table holds its copy, used or not: all or nothing."""
        exists = {
            "TableName": self._new.table,
            "Key": self._new.key(copy),
            "UpdateExpression": "REMOVE #mark",
            "ConditionExpression": "attribute_exists(#sub)",
            "ExpressionAttributeNames": {"#mark": MARK, "#sub": self._new.sub},
        }
        if fate is not Fate.LEFT:
            exists["ConditionExpression"] = "#mark = :hash"
            exists["ExpressionAttributeNames"] = {"#mark": MARK}
            exists["ExpressionAttributeValues"] = {":hash": {"S": self._mark(copy)}}
        unchanged = {
            "TableName": self._old.table,
            "Key": {self._old.sub: item[self._old.sub]},
            **as_read(item, ("sid", *_FENCE)),
        }
        done = self._calls.write("TransactWriteItems", {"TransactItems": [{"Update": exists}, {"Delete": unchanged}]})
        return Fate.DELETED if done or self._calls.get(self._old.table, unchanged["Key"]) is None else Fate.CHANGED

    def _mark(self, item: Item) -> str:
        return f"{self._old.table.rpartition('/')[2]}:{fingerprint(item)}"

    def _untouched(self, there: Item) -> bool:
        """Whether it is a copy from this old table that has not been used."""
        return there.get(MARK) == {"S": self._mark(there)}

    def _carry_not_before(self, sub: str, not_before: int) -> None:
        """Write `not_before` to the user's own row of the new table, for as long as it can affect a sign-in."""
        ttl = not_before + TOMBSTONE_SECONDS
        if ttl > self._tables.clock.now():
            later = either("not_before", Comparison("not_before", "absent"), Comparison("not_before", "<", not_before))
            put = {"not_before": not_before, "ttl": ttl}
            change = Change(WriteKind.NOT_BEFORE, SessionKey(sub, USER_SID), (later,), put=put)
            self._calls.repeated(partial(self._store.write, change))

    # --- copies whose session the old table no longer has

    def _end_replaced(self) -> None:
        """End each unused copy of a session that was replaced or deleted in the old table."""
        names = {"#mark": MARK, "#state": "state"}
        active: dict[str, Any] = {
            "TableName": self._new.table,
            "FilterExpression": "attribute_exists(#mark) AND #state <> :ended",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {":ended": {"S": ENDED}},
        }
        for there in self._calls.scan(active):
            record = self._new.record(there)
            if record is None or record.sid is None or hash((record.key.sub, record.sid)) in self._met:
                continue
            if not self._untouched(there) or self._still_there(record):
                continue
            if not self._dry_run:
                key = SessionKey(record.key.sub, record.sid)
                change = writes.end(
                    record._replace(key=key), WriteKind.LOGOUT, Reason.DISPLACED, now=int(self._tables.clock.now())
                )
                self._calls.repeated(partial(self._store.write, change))
            self.counts[Fate.ENDED] += 1

    def _still_there(self, copied: SessionRecord) -> bool:
        item = self._calls.get(self._old.table, {self._old.sub: {"S": copied.key.sub}})
        record = None if item is None else self._old.record(item)
        if item is None:
            return False
        return record is None or copied.sid == self._sid(record) or copied.token == record.token


def check_layouts(tables: Tables, old: Layout, new: Layout) -> int:
    """The approximate number of rows in the old table. Raises ConfigurationError if a table does not have its layout."""
    rows = 0
    for layout in (new, old):
        table = tables.describe(layout.table)
        if table is None:
            raise ConfigurationError(f"there is no table {layout.table}: check its name and AWS_REGION")
        if differences := key_differences(table, layout):
            raise ConfigurationError(
                f"table {layout.table}: "
                + "; ".join(finding.what for finding in differences)
                + ". Sessions move from a table with a partition key only to one with a sort key; PARTITION_KEY and SORT_KEY"
                " name the new table's, --from-partition-key the old one's"
            )
        if table.get("MultiRegionConsistency") == "STRONG":
            raise ConfigurationError(f"table {layout.table}: {STRONG_CONSISTENCY.what}. {STRONG_CONSISTENCY.fix}")
        rows = int(table.get("ItemCount", 0))
    return rows
