"""The command `cognito-session`: keys, the table, and what is wrong with a setup.

Its files read arguments and the environment, print, and set the exit status; what is done stands in `ops/`, one noun per
file. Results go to stdout, advice and progress to stderr.
"""

from __future__ import annotations

try:
    import click
    import tqdm  # noqa: F401 - `table migrate` and `doctor --live` show progress
except ImportError as _error:
    raise SystemExit(
        "cognito-session: the command needs the packages click and tqdm: pip install 'cognito-session[cli]'"
    ) from _error

from cognito_session.cli.doctor import doctor
from cognito_session.cli.environment import Commands, Environment
from cognito_session.cli.keys import keys
from cognito_session.cli.store import store
from cognito_session.cli.table import table

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--prefix", default="", help="What the names of the environment variables begin with, like ADMIN_.")
@click.option("--endpoint", help="DynamoDB's address, like http://localhost:4566; else AWS_ENDPOINT_URL or AWS's own.")
@click.option("--region", help="The AWS region; else AWS_REGION or AWS_DEFAULT_REGION.")
@click.version_option(package_name="cognito-session")
@click.pass_context
def main(ctx: click.Context, prefix: str, endpoint: str | None, region: str | None) -> None:
    """Set up and look after cognito-session: its keys, its table, and all that it needs."""
    ctx.obj = Environment(prefix, endpoint, region)


for _command in (doctor, keys, store, table):
    main.add_command(_command)
