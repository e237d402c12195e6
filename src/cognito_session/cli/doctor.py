"""`cognito-session doctor`: checks a setup and prints fixes; with `--live`, also probes the real user pool."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from cognito_session.aws.transport.open import open_wire
from cognito_session.clock import SystemClock
from cognito_session.configuration import Configuration
from cognito_session.ops.doctor import Doctor, Paths
from cognito_session.ops.probe import Probe
from cognito_session.settings import SETTINGS

if TYPE_CHECKING:
    from cognito_session.cli.environment import Environment
    from cognito_session.ops.finding import Finding

__all__ = ["doctor"]

_PASSWORD = "COGNITO_SESSION_PROBE_PASSWORD"
_SETTINGS = "\b\nSettings, as variables of the environment:\n" + "\n".join(
    f"  {name:<29} {described.description}" for name, described in SETTINGS.items()
)


@click.command(epilog=_SETTINGS)
@click.option("--session-days", default=7, show_default=True, help="The policy's absolute timeout.")
@click.option("--callback-path", default="/auth/callback", show_default=True, help="The path passed to managed_login().")
@click.option("--after-sign-out", default="/", show_default=True, help="The path passed to managed_login().")
@click.option("--live", is_flag=True, help="Also sign a test user in, and probe what Amazon does not document.")
@click.option("--username", help=f"With --live: the test user. Prompts for the password, or reads it from {_PASSWORD}.")
@click.pass_obj
def doctor(
    here: Environment, *, session_days: int, callback_path: str, after_sign_out: str, live: bool, username: str | None
) -> None:
    """Check the setup and print each finding with its fix. The exit status is 1 if there is a problem.

    Reads the settings that the application reads. Changes nothing. Reading the app client needs
    cognito-idp:DescribeUserPoolClient, and reading the table dynamodb:Describe*.

    --live signs a test user of the user pool in and out again: it must have no second factor, and the app client needs
    ALLOW_USER_PASSWORD_AUTH. It waits for the rotation's grace, a minute at most.
    """
    if live and not username:
        raise click.UsageError("--live needs --username, a test user of the user pool")
    names = Configuration.from_env(here.environ, prefix=here.prefix)
    wire = open_wire(environ=here.environ, regions=names.regions)
    examined = Doctor(wire, names, here.environ, session_days=session_days, paths=Paths(callback_path, after_sign_out))
    problems = 0
    for part, findings in examined.examine():
        problems += _print(part, findings)
    if live:
        password = here.environ.get(_PASSWORD) or click.prompt(f"Password of {username}", hide_input=True, err=True)
        found = names._replace(client_secret=examined.client_secret())
        probe = Probe(wire, found, grace_seconds=examined.grace_seconds, clock=SystemClock(), sleep=_wait)
        problems += _print("user pool", list(probe.ask(username or "", password)))
    sys.exit(1 if problems else 0)


def _print(part: str, findings: list[Finding]) -> int:
    """Print one part's findings. Returns the number of problems."""
    problems = sum(finding.level == "problem" for finding in findings)
    if not any(finding.level != "note" for finding in findings):
        click.echo(f"{part}: ok")
    for finding in findings:
        click.echo(f"{part}: {finding}")
    return problems


def _wait(seconds: float) -> None:
    """Wait until the grace is over, with a progress bar."""
    for _ in tqdm(range(round(seconds)), unit=" s", desc="waiting for the grace to end", disable=None, file=sys.stderr):
        time.sleep(1)
