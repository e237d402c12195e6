"""The command `cognito-session`: manages keys and the session table, and checks a setup.

Its files read arguments and the environment, print, and set the exit status; `ops/` does the work. Results go to stdout,
advice and progress to stderr.
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
@click.option("--prefix", default="", help="The prefix of the settings' variables, like ADMIN_.")
@click.option("--endpoint", help="DynamoDB's address, like http://localhost:4566; else AWS_ENDPOINT_URL or AWS's own.")
@click.option("--region", help="The AWS region; else AWS_REGION or AWS_DEFAULT_REGION.")
@click.version_option(package_name="cognito-session")
@click.pass_context
def main(ctx: click.Context, prefix: str, endpoint: str | None, region: str | None) -> None:
    """Set up and maintain cognito-session: its keys, its table and its configuration."""
    ctx.obj = Environment(prefix, endpoint, region)


for _command in (doctor, keys, store, table):
    main.add_command(_command)
