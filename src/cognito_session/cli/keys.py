"""`cognito-session keys`: sealing keys. A key that exists is printed only where `--print-all` asks for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from cognito_session.core.crypto.keyring import KEY_BYTES, Keyring, new_entry
from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from cognito_session.cli.environment import Environment

__all__ = ["keys"]

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


@click.group()
def keys() -> None:
    """Sealing keys (SESSION_KEYS)."""


@keys.command()
@click.option("--keys-from-env", is_flag=True, help="Continue the keys that SESSION_KEYS holds: one number higher.")
@click.option("--print-all", is_flag=True, help="Print the whole new value of SESSION_KEYS, the present keys included.")
@click.pass_obj
def new(here: Environment, *, keys_from_env: bool, print_all: bool) -> None:
    """Print a new entry for SESSION_KEYS; how to bring it in is said on stderr."""
    variable = f"{here.prefix}SESSION_KEYS"
    present = here.variable("SESSION_KEYS")
    if not (keys_from_env or print_all):
        click.echo(new_entry(None, os.urandom(KEY_BYTES)))
        click.echo(
            f"{variable} is set here, and the entry above starts a new keyring; to follow the present one use --keys-from-env"
            if present
            else f"A first key: set {variable} to it for every worker, and keep it as you keep passwords. If the table has"
            f" sessions, set {here.prefix}SESSION_ACCEPT_UNSEALED_ROWS=true until they have ended: else they are answered 503.",
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
