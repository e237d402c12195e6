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
Move sessions into a table with a sort key; the move ends none of them. Run it as often as you like.

\b
1. Give every worker SessionPolicy(on_reuse="reject") until step 5: a row that is behind then ends nothing.
2. Run this while workers use the old table, again and again until hardly a row is new.
3. Switch all workers at once to the new table (SESSION_TABLE, SORT_KEY).
4. Run it again at once: what was refreshed or signed in since the last run comes over. Until then those users get
   401 and keep their cookies. Workers on both tables for long would refresh past each other.
5. When no worker uses the old table any more: --delete-old.

Rows without session id (other code's sign-ins that nobody has refreshed yet) stay: they work in the old table, get
their id at the next refresh there, and are moved by the next run. After the switch their users must sign in again;
--refresh gives them an id now, at the price of one refresh call each."""


@click.command(help=_PROCEDURE)
@click.option("--from", "old", required=True, help="The old table: a partition key only, one row per user.")
@click.option("--to", "new", required=True, help="The new table, with SORT_KEY as its sort key (`table create` makes it).")
@click.option("--from-partition-key", help="The old table's partition key, where it is not PARTITION_KEY.")
@click.option("--dry-run", is_flag=True, help="Count, write nothing.")
@click.option("--refresh", is_flag=True, help="Refresh rows without session id once at Cognito, in the old table.")
@click.option("--absolute-days", default=7.0, show_default=True, help="With --refresh: the app's absolute timeout.")
@click.option("--delete-old", is_flag=True, help="Delete each old row whose copy is proved. Signs out who still uses it.")
@click.option("--yes", is_flag=True, help="With --delete-old: do not ask.")
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
        click.confirm("Delete old rows? Whoever is still served from the old table is signed out", abort=True, err=True)
    tables = here.tables()
    target = here.layout(new)
    if target.sort_key is None:
        raise ConfigurationError("SORT_KEY is not set: it is the new table's sort key, sid for instance")
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
            click.echo("interrupted: run it again, it goes on by itself", err=True)
            _tell(migration, dry_run=dry_run)
            raise
    _tell(migration, dry_run=dry_run)
    if list_left:
        for fate, sub in migration.left:
            shown = sub if sub.isprintable() else ascii(sub)  # whoever writes to the table does not speak to this terminal
            click.echo(f"{fate.name.lower()} {shown}")
    sys.exit(1 if migration.left else 0)


def _rules(here: Environment) -> TokenRules | None:
    """Whose access tokens may tell a row's session id; without a pool, nobody's."""
    if here.variable("USER_POOL_ID") is None:
        return None
    found = here.configuration()
    return TokenRules.of_pool(found.user_pool_id, found.client_id)


def _adopter(here: Environment, source: Layout, absolute_seconds: int) -> Callable[[str], None]:
    """Refreshes in the old table as the app itself would. The idle end begins with the user's next request."""
    from cognito_session.manager import SessionManager

    found = here.configuration()
    names = found._replace(session_table=source.table, partition_key=source.partition_key, sort_key=None, session_store=None)
    lasting = SessionPolicy(absolute_seconds=absolute_seconds, idle_seconds=None)
    manager = SessionManager(names, cookie="token", policy=lasting, environ=here.environ)
    return adopter(manager.context, manager.ports)


_ADVICE: Final = {
    Fate.UNPLACED: "They work in the old table and get a session id at their next refresh there; then run this again. After"
    " the switch their users must sign in again, unless --refresh is used before it.",
    Fate.BUSY: "Run this again in half a minute.",
    Fate.UNREADABLE: "Other code keeps something else under one of our names; the library answers 503 for them too.",
    Fate.CHANGED: "Is a worker still using the old table? Run this again.",
}


def _tell(migration: Migration, *, dry_run: bool) -> None:
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
