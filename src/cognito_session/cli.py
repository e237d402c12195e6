"""The command `cognito-session`: keys, and the table. Reads arguments and the environment, prints, and sets the exit status.

What it does stands in `ops/`, one noun per file. Results go to stdout, advice and progress to stderr. A key that exists is
printed only where `--print-all` asks for it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cognito_session.aws.wire import WireError, open_wire
from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError, SessionError
from cognito_session.core.keyring import KEY_BYTES, Keyring, new_entry
from cognito_session.core.policy import SessionPolicy
from cognito_session.core.token import TokenRules
from cognito_session.ops import iam
from cognito_session.ops.migration import Fate, Migration, adopter, check_layouts
from cognito_session.ops.table import Layout, Tables, Wanted, check, create

try:
    import click
    from tqdm import tqdm
except ImportError as error:
    raise SystemExit(
        "cognito-session: the command needs the packages click and tqdm: pip install 'cognito-session[cli]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

_DAY_SECONDS: Final = 86_400

_ROTATION: Final = """\
Rotating SESSION_KEYS. The first entry seals, all open, so nobody is signed out as long as the old entries stay.
1. Put the new entry first, with a comma, before the present value, and give that to every worker at once. From the first
   worker that has it until the last one, workers without it answer 503 with Retry-After to what the others have sealed:
   they can neither open nor refuse it. There is no order of steps without this window while the keys come from an
   environment variable, because the newest key always seals; keep it short (one deployment, traffic switched at once).
   Keys in Secrets Manager (SESSION_SECRET_ARN) make it a matter of seconds: a worker that meets a newer key reads the
   secret again, at most once in ten seconds.
2. Wait until every session sealed with the old key has ended: the policy's absolute timeout, 7 days by default.
3. Take the oldest entry away from the end. Never take away or reorder the first one."""


class _Commands(click.Group):
    """Errors of the library end as one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SessionError, WireError) as error:
            raise click.ClickException(str(error)) from error


class _Surroundings:
    """The environment, as the options of the command change it."""

    def __init__(self, prefix: str, endpoint: str | None, region: str | None) -> None:
        self.prefix = prefix
        named = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_REGION": region}
        self.environ = {**os.environ, **{name: value for name, value in named.items() if value}}

    def layout(self, table: str | None = None) -> Layout:
        return Layout.from_env(self.environ, prefix=self.prefix, table=table)

    def tables(self) -> Tables:
        return Tables(open_wire(environ=self.environ))

    def configuration(self) -> Configuration:
        """With the user pool and the app client; the table is the command's own."""
        return Configuration.from_env(self.environ, prefix=self.prefix, session_table=self.variable("SESSION_TABLE") or "none")

    def variable(self, name: str) -> str | None:
        return self.environ.get(self.prefix + name) or None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--prefix", default="", help="What the names of the environment variables begin with, like ADMIN_.")
@click.option("--endpoint", help="DynamoDB's address, like http://localhost:4566; else AWS_ENDPOINT_URL or AWS's own.")
@click.option("--region", help="The AWS region; else AWS_REGION or AWS_DEFAULT_REGION.")
@click.version_option(package_name="cognito-session")
@click.pass_context
def main(ctx: click.Context, prefix: str, endpoint: str | None, region: str | None) -> None:
    """Set up and look after cognito-session: its keys and its table."""
    ctx.obj = _Surroundings(prefix, endpoint, region)


# --- keys


@main.group()
def keys() -> None:
    """Sealing keys (SESSION_KEYS)."""


@keys.command()
@click.option("--keys-from-env", is_flag=True, help="Continue the keys that SESSION_KEYS holds: one number higher.")
@click.option("--print-all", is_flag=True, help="Print the whole new value of SESSION_KEYS, the present keys included.")
@click.pass_obj
def new(here: _Surroundings, *, keys_from_env: bool, print_all: bool) -> None:
    """Print a new entry for SESSION_KEYS; how to bring it in is said on stderr."""
    variable = f"{here.prefix}SESSION_KEYS"
    present = here.variable("SESSION_KEYS")
    if not (keys_from_env or print_all):
        click.echo(new_entry(None, os.urandom(KEY_BYTES)))
        click.echo(
            f"{variable} is set here, and the entry above starts a new keyring; to follow the present one use --keys-from-env"
            if present
            else f"A first key: set {variable} to it for every worker, and keep it as you keep passwords.",
            err=True,
        )
        return
    if present is None:
        raise ConfigurationError(f"{variable} is not set: without present keys, leave out --keys-from-env and --print-all")
    entry = new_entry(Keyring.parse(present), os.urandom(KEY_BYTES))
    whole = f"{entry},{present.strip()}"
    Keyring.parse(whole)
    click.echo(whole if print_all else entry)
    click.echo(_ROTATION, err=True)


# --- table


@main.group()
def table() -> None:
    """The session table (SESSION_TABLE, PARTITION_KEY, SORT_KEY)."""


def _wanted(command: Callable[..., Any]) -> Callable[..., Any]:
    protect = click.option("--deletion-protection", is_flag=True, help="Want deletion protection.")
    return click.option("--no-pitr", is_flag=True, help="Do not want point-in-time recovery.")(protect(command))


@table.command("create")
@_wanted
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag of a newly made table; may be repeated.")
@click.option("--wait-seconds", default=120, show_default=True, help="How long to wait for the table.")
@click.pass_obj
def create_(here: _Surroundings, *, no_pitr: bool, deletion_protection: bool, tags: tuple[str, ...], wait_seconds: int) -> None:
    """Make the table, or mend one that is there; a table with other keys is an error that names each difference.

    On-demand billing, keys of type String, time to live on `ttl`, point-in-time recovery.
    """
    layout = here.layout()
    for line in create(
        here.tables(),
        Wanted(layout, pitr=not no_pitr, deletion_protection=deletion_protection, tags=_tags(tags)),
        wait_seconds=wait_seconds,
    ):
        click.echo(line)
    if layout.sort_key is None:
        click.echo("SORT_KEY is not set: one session per user, the last sign-in wins. SORT_KEY=sid allows many.", err=True)


@table.command("check")
@_wanted
@click.pass_obj
def check_(here: _Surroundings, *, no_pitr: bool, deletion_protection: bool) -> None:
    """Print what is not as it should be, each with its fix; exit status 1 where there is a problem."""
    layout = here.layout()
    found = check(here.tables(), Wanted(layout, pitr=not no_pitr, deletion_protection=deletion_protection))
    for finding in found:
        click.echo(f"{finding.level}: {finding.what}. {finding.fix}")
    if any(finding.level == "problem" for finding in found):
        sys.exit(1)
    click.echo(f"ok: table {layout.table} fits {', '.join(layout.keys)}")


@table.command()
@click.option("--account", help="The AWS account's number; without it the table is looked up.")
@click.option("--global-sign-out", is_flag=True, help="Allow what revoke_all uses at Cognito; needs USER_POOL_ID.")
@click.pass_obj
def policy(here: _Surroundings, *, account: str | None, global_sign_out: bool) -> None:
    """Print the IAM policy that allows exactly what the library calls at run time."""
    name = here.layout().table
    place, table_arn = _place(here, name, account)
    secret = here.variable("SESSION_SECRET_ARN")
    if secret is not None and not secret.startswith("arn:"):
        secret = place.arn("secretsmanager", f"secret:{secret}-??????")
    pool_arn = None
    if global_sign_out:
        found = here.configuration()
        pool = iam.Place(found.pool_region, place.account)
        pool_arn = pool.arn("cognito-idp", f"userpool/{found.user_pool_id}")
    click.echo(json.dumps(iam.policy(table_arn=table_arn, secret_arn=secret, pool_arn=pool_arn), indent=2))
    if not global_sign_out:
        click.echo(
            "Without --global-sign-out, revoke_all ends every session here but not tokens issued elsewhere (it reports"
            " global_sign_out_failed).",
            err=True,
        )
    if secret is not None:
        click.echo("A secret under a key of your own also needs kms:Decrypt on that key.", err=True)


def _place(here: _Surroundings, table: str, account: str | None) -> tuple[iam.Place, str]:
    """Region and account, and the table's ARN: by its own ARN, from the options, or by asking DynamoDB."""
    if table.startswith("arn:"):
        return iam.Place.of_arn(table), table
    if account is None:
        found = here.tables().describe(table)
        if found is None:
            raise ConfigurationError(f"there is no table {table} in this region: name the account with --account")
        return iam.Place.of_arn(found["TableArn"]), found["TableArn"]
    region = here.environ.get("AWS_REGION") or here.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise ConfigurationError("AWS_REGION is not set: a policy names the table's region")
    place = iam.Place(region, account)
    return place, place.arn("dynamodb", f"table/{table}")


def _tags(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"expected KEY=VALUE, not {pair}", param_hint="--tag")
        found[key] = value
    return found


# --- table migrate


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


@table.command(help=_PROCEDURE)
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
    here: _Surroundings,
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
            click.echo(f"{fate.name.lower()} {sub}")
    sys.exit(1 if migration.left else 0)


def _rules(here: _Surroundings) -> TokenRules | None:
    """Whose access tokens may tell a row's session id; without a pool, nobody's."""
    if not any(here.variable(name) for name in ("USER_POOL_ID", "COGNITO_USER_POOL_ID")):
        return None
    found = here.configuration()
    return TokenRules.of_pool(found.user_pool_id, found.client_id)


def _adopter(here: _Surroundings, source: Layout, absolute_seconds: int) -> Callable[[str], None]:
    """Refreshes in the old table as the app itself would. The idle end begins with the user's next request."""
    from cognito_session.manager import SessionManager

    found = here.configuration()
    names = replace(found, session_table=source.table, partition_key=source.partition_key, sort_key=None, session_store=None)
    lasting = SessionPolicy(absolute_seconds=absolute_seconds, idle_seconds=None)
    manager = SessionManager(names, cookie="token", policy=lasting, environ=here.environ)
    return adopter(manager.case, manager.ports)


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
    if migration.last_fault is not None:
        click.echo(f"the last refresh that failed: {migration.last_fault}", err=True)
