"""`cognito-session table migrate`: the move to a table with a sort key, with a progress bar."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click
from tqdm import tqdm

from cognito_session.aws.transport.interface import WireError
from cognito_session.core.crypto.access_token import TokenRules
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.core.policy import SessionPolicy
from cognito_session.ops.adoption import adopter
from cognito_session.ops.migration import Fate, Migration, check_layouts
from cognito_session.ops.table import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.cli.environment import Environment

__all__ = ["migrate"]

_DAY_SECONDS: Final = 86_400

_PROCEDURE: Final = """\
Move sessions into a table with a sort key. The move ends no session. You can run it as often as you like.

\b
1. Give every worker SessionPolicy(on_reuse="reject") until step 5. An outdated row then ends no session.
2. Run this command while workers use the old table. Repeat it until hardly any row is new.
3. Switch all workers at once to the new table (SESSION_TABLE, SORT_KEY).
4. Run the command again at once. It moves sessions that were refreshed or started since the last run. Until then
   their users get 401 and keep their cookies. Do not run workers on both tables for long: they would refresh the
   same sessions separately.
5. When no worker uses the old table, run it with --delete-old.

Rows without a session id (sign-ins by other code that have not been refreshed yet) stay. They work in the old table,
get an id at their next refresh there, and the next run moves them. After the switch their users must sign in again.
--refresh gives them an id now, at the cost of one refresh call each."""


@click.command(help=_PROCEDURE)
@click.option("--from", "old", required=True, help="The old table: a partition key only, one row per user.")
@click.option("--to", "new", required=True, help="The new table, with SORT_KEY as its sort key (`table create` makes it).")
@click.option("--from-partition-key", help="The old table's partition key, if it is not PARTITION_KEY.")
@click.option("--dry-run", is_flag=True, help="Count, write nothing.")
@click.option("--refresh", is_flag=True, help="Refresh rows without session id once at Cognito, in the old table.")
@click.option("--absolute-days", default=7.0, show_default=True, help="With --refresh: the app's absolute timeout.")
@click.option("--delete-old", is_flag=True, help="Delete each old row with a proven copy. Signs out its users.")
@click.option("--yes", is_flag=True, help="With --delete-old: do not ask for confirmation.")
@click.option("--list-left", is_flag=True, help="Print the sub of each row that could not be moved.")
@click.pass_obj
def migrate(
    here: Environment,
    *,
    old: str,
    new: str,
    from_partition_key: str | None,
    dry_run: bool,
    refresh: bool,
    absolute_days: float,
    delete_old: bool,
    yes: bool,
    list_left: bool,
) -> None:
    """Move sessions; the help text is the procedure."""
    if delete_old and not dry_run and not yes:
        click.confirm("Delete old rows? Users of workers that still use the old table are signed out", abort=True, err=True)
    tables = here.tables()
    target = here.layout(new)
    if target.sort_key is None:
        raise ConfigurationError("SORT_KEY is not set: it is the new table's sort key, for example sid")
    source = Layout(old, from_partition_key or target.partition_key, None)
    rows = check_layouts(tables, source, target)
    with tqdm(total=rows or None, unit=" rows", disable=None, file=sys.stderr) as bar:
        migration = Migration(
            tables,
            old=source,
            new=target,
            rules=_rules(here),
            adopt=_adopter(here, source, int(absolute_days * _DAY_SECONDS)) if refresh else None,
            delete_old=delete_old,
            dry_run=dry_run,
            progress=bar.update,
        )
        try:
            migration.run()
        except (KeyboardInterrupt, SessionError, WireError):
            click.echo("interrupted: run it again to continue", err=True)
            _print(migration, dry_run=dry_run)
            raise
    _print(migration, dry_run=dry_run)
    if list_left:
        for fate, sub in migration.left:
            shown = sub if sub.isprintable() else ascii(sub)  # a writer of the table must not control this terminal
            click.echo(f"{fate.name.lower()} {shown}")
    sys.exit(1 if migration.left else 0)


def _rules(here: Environment) -> TokenRules | None:
    """The rules for access tokens that may give a row its session id; None without a user pool."""
    if here.variable("USER_POOL_ID") is None:
        return None
    found = here.configuration()
    return TokenRules.of_pool(found.user_pool_id, found.client_id)


def _adopter(here: Environment, source: Layout, absolute_seconds: int) -> Callable[[str], None]:
    """Refreshes in the old table as the app would. The idle timeout starts with the user's next request."""
    from cognito_session.manager import SessionManager

    found = here.configuration()
    names = found._replace(session_table=source.table, partition_key=source.partition_key, sort_key=None, session_store=None)
    lasting = SessionPolicy(absolute_seconds=absolute_seconds, idle_seconds=None)
    manager = SessionManager(names, cookie="token", policy=lasting, environ=here.environ)
    return adopter(manager.context, manager.ports)


_ADVICE: Final = {
    Fate.UNPLACED: "They work in the old table and get a session id at their next refresh there; then run this again. After"
    " the switch their users must sign in again, unless you use --refresh before it.",
    Fate.BUSY: "Run this again in half a minute.",
    Fate.UNREADABLE: "Other code uses one of the library's attribute names; the library answers 503 for them too.",
    Fate.CHANGED: "Is a worker still using the old table? Run this again.",
}


def _print(migration: Migration, *, dry_run: bool) -> None:
    if dry_run:
        click.echo("dry run: nothing was written")
    for fate in Fate:
        if count := migration.counts[fate]:
            click.echo(f"{count:>8}  {fate}")
            if fate in _ADVICE:
                click.echo(f"          {_ADVICE[fate]}", err=True)
    if not any(migration.counts[fate] for fate in Fate):
        click.echo("the old table has no rows: nothing to move")
    if migration.last_fault is not None:
        click.echo(f"the last refresh that failed: {migration.last_fault}", err=True)
