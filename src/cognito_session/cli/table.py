"""`cognito-session table`: creates, checks and moves the table, and prints the IAM policy."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from cognito_session.cli.migrate import migrate
from cognito_session.core.errors import ConfigurationError
from cognito_session.ops import iam
from cognito_session.ops.table import Wanted, check, create

if TYPE_CHECKING:
    from collections.abc import Callable

    from cognito_session.cli.environment import Environment

__all__ = ["table"]


@click.group()
def table() -> None:
    """The session table (SESSION_TABLE, PARTITION_KEY, SORT_KEY)."""


def _wanted(command: Callable[..., Any]) -> Callable[..., Any]:
    protect = click.option("--deletion-protection", is_flag=True, help="Require deletion protection.")
    return click.option("--no-pitr", is_flag=True, help="Do not require point-in-time recovery.")(protect(command))


@table.command("create")
@_wanted
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag for a new table; may be repeated.")
@click.option("--wait-seconds", default=120, show_default=True, help="How long to wait for the table.")
@click.pass_obj
def create_(here: Environment, *, no_pitr: bool, deletion_protection: bool, tags: tuple[str, ...], wait_seconds: int) -> None:
    """Create the table, or correct an existing one. A table with other keys is an error that names each difference.

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
def check_(here: Environment, *, no_pitr: bool, deletion_protection: bool) -> None:
    """Check the table and print each finding with its fix. The exit status is 1 if there is a problem."""
    layout = here.layout()
    found = check(here.tables(), Wanted(layout, pitr=not no_pitr, deletion_protection=deletion_protection))
    for finding in found:
        click.echo(finding)
    if any(finding.level == "problem" for finding in found):
        sys.exit(1)
    click.echo(f"ok: table {layout.table} fits {', '.join(layout.keys)}")


@table.command()
@click.option("--account", help="The AWS account's number; by default DynamoDB is asked.")
@click.option("--global-sign-out", is_flag=True, help="Allow the Cognito operation of revoke_all; needs USER_POOL_ID.")
@click.pass_obj
def policy(here: Environment, *, account: str | None, global_sign_out: bool) -> None:
    """Print the IAM policy that allows exactly the operations that the library calls at run time."""
    name = here.layout().table
    place, table_arn = _place(here, name, account)
    secret = here.variable("SESSION_SECRET_ARN")
    if secret is not None and not secret.startswith("arn:"):
        home = iam.Place(_region(here) or place.region, place.account)  # a secret's name has no region: AWS_REGION applies
        secret = home.arn("secretsmanager", f"secret:{secret}-??????")
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
        click.echo("A secret that is encrypted with your own KMS key also needs kms:Decrypt on that key.", err=True)


def _place(here: Environment, table: str, account: str | None) -> tuple[iam.Place, str]:
    """Region and account, and the table's ARN: from its ARN, from the options, or from DynamoDB."""
    if table.startswith("arn:"):
        return iam.Place.of_arn(table), table
    if account is None:
        found = here.tables().describe(table)
        if found is None:
            raise ConfigurationError(f"there is no table {table} in this region: name the account with --account")
        return iam.Place.of_arn(found["TableArn"]), found["TableArn"]
    if not re.fullmatch("[0-9]{12}", account):
        raise ConfigurationError("--account: expected the AWS account's number, 12 digits")
    region = here.layout().region or _region(here)
    if not region:
        raise ConfigurationError("AWS_REGION is not set: a policy names the table's region")
    place = iam.Place(region, account)
    return place, place.arn("dynamodb", f"table/{table}")


def _region(here: Environment) -> str | None:
    return here.environ.get("AWS_REGION") or here.environ.get("AWS_DEFAULT_REGION") or None


def _tags(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"expected KEY=VALUE, not {pair}", param_hint="--tag")
        found[key] = value
    return found


table.add_command(migrate)
