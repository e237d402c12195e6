"""The session table: creates it, and checks its keys and settings.

A difference that no call can correct is an error that names it. The call in its finding corrects any other difference. Every
wait has a limit. Must not know sessions or rows.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cognito_session.aws.dynamodb_codes import table_failure
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.clock import SystemClock
from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.ops.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.aws.transport.interface import Wire
    from cognito_session.core.protocol.ports import Clock

__all__ = ["STRONG_CONSISTENCY", "Layout", "Tables", "Wanted", "check", "create", "key_differences"]

TTL_ATTRIBUTE: Final = "ttl"
_TIMEOUT_SECONDS: Final = 10.0
_NO_TABLE: Final = frozenset({"ResourceNotFoundException"})
_THERE_ALREADY: Final = frozenset({"ResourceInUseException"})
_POLL_SECONDS: Final = 1.0
_NO_POOL: Final = {"client_id": "none", "user_pool_id": "xx-none-1_none"}
"""Configuration requires a user pool; commands on tables do not use it."""


class Layout(NamedTuple):
    """A table's name and keys."""

    table: str
    partition_key: str
    sort_key: str | None
    region: str | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, prefix: str = "", table: str | None = None) -> Layout:
        """From SESSION_TABLE (or `table`), PARTITION_KEY and SORT_KEY. Raises ConfigurationError."""
        found = Configuration.from_env(environ, prefix=prefix, session_table=table, **_NO_POOL)
        if not found.session_table:
            raise ConfigurationError(f"{prefix}SESSION_TABLE is not set: this command is for DynamoDB, not for SESSION_STORE")
        return cls(found.session_table, found.partition_key, found.sort_key, found.session_table_region)

    @property
    def keys(self) -> dict[str, str]:
        """Key names and their KeyType."""
        sort = {} if self.sort_key is None else {self.sort_key: "RANGE"}
        return {self.partition_key: "HASH", **sort}


class Wanted(NamedTuple):
    """The settings that the table should have."""

    layout: Layout
    pitr: bool = True
    deletion_protection: bool = False
    tags: Mapping[str, str] = MappingProxyType({})


class Tables:
    """DynamoDB's operations on tables, with errors for the operator."""

    def __init__(self, wire: Wire, *, clock: Clock | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self.wire = wire
        self.clock: Clock | SystemClock = clock or SystemClock()
        self.sleep = sleep

    def call(self, operation: str, payload: Mapping[str, Any], *, expected: frozenset[str] = frozenset()) -> dict[str, Any]:
        """One call. The codes in `expected` are raised as ServiceError.

        Raises ConfigurationError if the operator must act, StoreUnavailable for every other error.
        """
        try:
            return self.wire.call("dynamodb", operation, payload, timeout_seconds=_TIMEOUT_SECONDS)
        except ServiceError as error:
            if error.code in expected:
                raise
            raise table_failure(error, str(payload.get("TableName", ""))) from error
        except (NotSent, AnswerLost) as error:
            raise StoreUnavailable(f"DynamoDB: {error}: check AWS_REGION and the network") from error

    def describe(self, table: str) -> dict[str, Any] | None:
        """DescribeTable's `Table`; None if there is no such table."""
        try:
            found: dict[str, Any] = self.call("DescribeTable", {"TableName": table}, expected=_NO_TABLE)["Table"]
        except ServiceError:
            return None
        return found

    def until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Poll until `done`. Raises StoreUnavailable after `seconds`."""
        give_up = self.clock.monotonic() + seconds
        while not done():
            if self.clock.monotonic() >= give_up:
                raise StoreUnavailable(f"{what} did not happen within {seconds:g} seconds: run the command again later")
            self.sleep(_POLL_SECONDS)


def create(tables: Tables, wanted: Wanted, *, wait_seconds: float = 120.0) -> list[str]:
    """Create the table, or correct an existing one. Returns a line for each change.

    Raises ConfigurationError, which names each difference of an existing table that no call corrects. Then nothing is changed.
    """
    layout, said = wanted.layout, []
    if tables.describe(layout.table) is None and _created(tables, wanted):
        said.append(f"created table {layout.table}")
    tables.until(lambda: _is_active(tables, layout.table), f"table {layout.table} becoming ACTIVE", wait_seconds)
    found = check(tables, wanted)
    stuck = [finding for finding in found if finding.level != "note" and finding.correction is None]
    if stuck:
        raise ConfigurationError(
            f"table {layout.table} exists and is not the one asked for; nothing was changed:\n"
            + "\n".join(f"- {finding.what}. {finding.fix}" for finding in stuck)
        )
    for finding in found:
        if finding.correction is not None:
            _correct(tables, finding.correction, wait_seconds)
            said.append(f"{finding.what}: turned on")
    return said or [f"table {layout.table} is already as it should be"]


def check(tables: Tables, wanted: Wanted) -> list[Finding]:
    """The differences between the table, as DynamoDB describes it, and `wanted`."""
    layout = wanted.layout
    table = tables.describe(layout.table)
    if table is None:
        return [
            Finding(
                "problem",
                f"there is no table {layout.table} in this region",
                "Check SESSION_TABLE and AWS_REGION, or run `cognito-session table create`.",
            )
        ]
    found = key_differences(table, layout)
    if table.get("TableStatus") not in ("ACTIVE", "UPDATING"):
        fix = _STATUS_FIXES.get(table.get("TableStatus", ""), "Wait, then check again.")
        found.append(Finding("problem", f"its status is {table.get('TableStatus')}, not ACTIVE", fix))
    if table.get("MultiRegionConsistency") == "STRONG":
        return [*found, STRONG_CONSISTENCY, *_backups(tables, wanted), *_settings(table, wanted)]
    return [*found, *_ttl(tables, layout), *_backups(tables, wanted), *_settings(table, wanted)]


_STATUS_FIXES: Final = {
    "INACCESSIBLE_ENCRYPTION_CREDENTIALS": "Let DynamoDB use the table's KMS key again: enable it, and allow it in its policy.",
    "ARCHIVED": "Restore it from the backup that DynamoDB made when its KMS key was inaccessible.",
    "ARCHIVING": "Let DynamoDB use the table's KMS key again: enable it, and allow it in its policy.",
}
STRONG_CONSISTENCY: Final = Finding(
    "problem",
    "it is a global table with multi-Region strong consistency, on which DynamoDB has neither transactions nor time to live:"
    " sign-in with a sort key needs the first, ended sessions are removed by the second",
    "Use a table of one region, or a global table with eventual consistency whose sessions stay in one region each.",
)
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""


def key_differences(table: Mapping[str, Any], layout: Layout) -> list[Finding]:
    """The differences between the keys of a table, as DescribeTable returns it, and the layout."""
    is_ = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    found = []
    for kind, variable in (("HASH", "PARTITION_KEY"), ("RANGE", "SORT_KEY")):
        have, want = _key(is_, kind), _key(layout.keys, kind)
        if have != want:
            change = f"Set {variable}={have}" if have else f"Unset {variable}"
            fix = f"{change} if this is the right table; a table's keys cannot be changed."
            it = f"its {_KINDS[kind]} is {have}" if have else f"it has no {_KINDS[kind]}"
            found.append(Finding("problem", f"{it}; expected {want or 'none'}", fix))
        elif have is not None and types.get(have) != "S":
            fix = "Create a new table: a key's type cannot be changed."
            found.append(Finding("problem", f"its {_KINDS[kind]} {have} has type {types.get(have)}, not S (String)", fix))
    return found


_KINDS: Final = {"HASH": "partition key", "RANGE": "sort key"}


def _key(keys: Mapping[str, str], kind: str) -> str | None:
    return next((name for name, found in keys.items() if found == kind), None)


def _ttl(tables: Tables, layout: Layout) -> list[Finding]:
    ttl = tables.call("DescribeTimeToLive", {"TableName": layout.table}).get("TimeToLiveDescription", {})
    status, attribute = ttl.get("TimeToLiveStatus", "DISABLED"), ttl.get("AttributeName")
    if status in ("ENABLED", "ENABLING"):
        if attribute == TTL_ATTRIBUTE:
            return []
        fix = "Turn it off there (that takes up to an hour), then run `cognito-session table create` again."
        return [Finding("problem", f"time to live is on the attribute {attribute}, not {TTL_ATTRIBUTE}", fix)]
    if status == "DISABLING":
        fix = "Wait up to an hour, then run `cognito-session table create` again."
        return [Finding("problem", "time to live is being turned off", fix)]
    payload = {"TableName": layout.table, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}}
    fix = "Ended sessions would never be removed. Run `cognito-session table create`: it turns it on."
    return [Finding("problem", "time to live is off", fix, ("UpdateTimeToLive", payload))]


def _backups(tables: Tables, wanted: Wanted) -> list[Finding]:
    if not wanted.pitr:
        return []
    table = wanted.layout.table
    backups = tables.call("DescribeContinuousBackups", {"TableName": table})["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
        return []
    payload = {"TableName": table, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    fix = "Run `cognito-session table create`: it turns it on; or pass --no-pitr."
    return [Finding("problem", "point-in-time recovery is off", fix, ("UpdateContinuousBackups", payload))]


def _settings(table: Mapping[str, Any], wanted: Wanted) -> list[Finding]:
    name, found = wanted.layout.table, []
    if table.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST":
        what = "it has provisioned capacity, not on-demand billing"
        fix = "A throttled table answers 503: `aws dynamodb update-table --billing-mode PAY_PER_REQUEST`, or let it scale."
        found.append(Finding("difference", what, fix))
    if not table.get("DeletionProtectionEnabled"):
        if wanted.deletion_protection:
            call = ("UpdateTable", {"TableName": name, "DeletionProtectionEnabled": True})
            fix = "Run `cognito-session table create --deletion-protection`: it turns it on."
            found.append(Finding("problem", "deletion protection is off", fix, call))
        else:
            fix = "Deleting the table signs all users out; --deletion-protection turns it on."
            found.append(Finding("note", "deletion protection is off", fix))
    if table.get("Replicas") and table.get("MultiRegionConsistency") != "STRONG":  # a problem of its own, above
        what = "it is a global table whose regions are not strongly consistent"
        fix = "Conditions hold within one region only: let all workers of a user's sessions use one region's replica."
        found.append(Finding("problem", what, fix))
    return found


def _created(tables: Tables, wanted: Wanted) -> bool:
    """Whether this CreateTable created it; another process may have been first."""
    layout = wanted.layout
    if layout.table.startswith("arn:"):
        raise ConfigurationError("SESSION_TABLE: a table is created by its name, not by an ARN")
    payload: dict[str, Any] = {
        "TableName": layout.table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in layout.keys],
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in layout.keys.items()],
        "DeletionProtectionEnabled": wanted.deletion_protection,
    }
    if wanted.tags:
        payload["Tags"] = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
    try:
        tables.call("CreateTable", payload, expected=_THERE_ALREADY)
    except ServiceError:
        return False
    return True


def _is_active(tables: Tables, table: str) -> bool:
    """DescribeTable is eventually consistent: a table just made may not be known yet."""
    found = tables.describe(table)
    return found is not None and found.get("TableStatus") in ("ACTIVE", "UPDATING")


_NOT_YET: Final = frozenset({"ContinuousBackupsUnavailableException", "ResourceInUseException"})
"""A new table's backups are set up after it is ACTIVE; a table that is being updated takes no second update."""


def _correct(tables: Tables, correction: tuple[str, dict[str, Any]], wait_seconds: float) -> None:
    def done() -> bool:
        try:
            tables.call(*correction, expected=_NOT_YET)
        except ServiceError:
            return False
        return True

    tables.until(done, f"{correction[0]} of table {correction[1]['TableName']}", wait_seconds)
