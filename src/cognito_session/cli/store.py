"""`cognito-session store`: maintains the SQLite file that SESSION_STORE names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cognito_session.core.errors import ConfigurationError
from cognito_session.ops.sqlite_file import open_existing

if TYPE_CHECKING:
    from cognito_session.cli.environment import Environment

__all__ = ["store"]


@click.group()
def store() -> None:
    """The SQLite file (SESSION_STORE)."""


@store.command()
@click.argument("copy", type=click.Path(path_type=Path))
@click.pass_obj
def backup(here: Environment, copy: Path) -> None:
    """Write a consistent copy of the file to COPY, a new file with mode 0600. Workers may continue to run."""
    url = here.variable("SESSION_STORE")
    if url is None:
        raise ConfigurationError(f"{here.prefix}SESSION_STORE is not set: expected the address of a SQLite file, sqlite:///...")
    found = open_existing(url)
    try:
        found.backup(copy)
    finally:
        found.close()
    click.echo(f"{copy}: written. It holds every session's tokens: protect it like a password.", err=True)
