"""`cognito-session keys`: sealing keys. An existing key is printed only with `--print-all`."""

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
Rotating SESSION_KEYS. The first entry seals and all entries open, so no user is signed out while the old entries stay.
1. Put the new entry and a comma before the present value, and give the result to every worker at once. Until the last
   worker has it, workers without it answer 503 with Retry-After to cookies that the others have sealed: they can neither
   open nor refuse them. With keys in an environment variable this window cannot be avoided, because the newest key always
   seals. Keep it short (one deployment, traffic switched at once). With keys in Secrets Manager (SESSION_SECRET_ARN) it
   lasts seconds: a worker that meets a newer key reads the secret again, at most once in ten seconds.
2. Wait until every session sealed with the old key has ended: the policy's absolute timeout, 7 days by default.
3. Remove the oldest entry, which is the last one. Never remove or reorder the first entry."""


@click.group()
def keys() -> None:
    """Sealing keys (SESSION_KEYS)."""


@keys.command()
@click.option("--keys-from-env", is_flag=True, help="Number the entry to follow the keys in SESSION_KEYS.")
@click.option("--print-all", is_flag=True, help="Print the whole new value of SESSION_KEYS, the present keys included.")
@click.pass_obj
def new(here: Environment, *, keys_from_env: bool, print_all: bool) -> None:
    """Print a new entry for SESSION_KEYS. Instructions go to stderr."""
    variable = f"{here.prefix}SESSION_KEYS"
    present = here.variable("SESSION_KEYS")
    if not (keys_from_env or print_all):
        click.echo(new_entry(None, os.urandom(KEY_BYTES)))
        click.echo(
            f"{variable} is set, but the entry above starts a new keyring; to continue the present one, use --keys-from-env"
            if present
            else f"This is a first key. Set {variable} to it for every worker, and protect it like a password. If the table has"
            f" sessions, set {here.prefix}SESSION_ACCEPT_UNSEALED_ROWS=true until they have ended; otherwise they get 503.",
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
