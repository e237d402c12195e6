"""Environment: the variables of a command, changed by its options. Commands: reports the errors of a command."""

from __future__ import annotations

import os
from typing import Any

import click

from cognito_session.aws.transport.interface import WireError
from cognito_session.aws.transport.open import open_wire
from cognito_session.configuration import Configuration
from cognito_session.core.errors import SessionError
from cognito_session.ops.table import Layout, Tables
from cognito_session.settings import variable_names

__all__ = ["Commands", "Environment"]


class Commands(click.Group):
    """A command group that prints an error of the library in one line and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """See click.Group."""
        try:
            return super().invoke(ctx)
        except (SessionError, WireError) as error:
            raise click.ClickException(str(error)) from error


class Environment:
    """The variables of the process, changed by the options of the command."""

    def __init__(self, prefix: str, endpoint: str | None, region: str | None) -> None:
        self.prefix = prefix
        named = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "AWS_REGION": region, f"{prefix}SESSION_TABLE_REGION": region}
        self.environ: dict[str, str] = {**os.environ, **{name: value for name, value in named.items() if value}}

    def layout(self, table: str | None = None) -> Layout:
        """The layout of `table`, else of SESSION_TABLE."""
        return Layout.from_env(self.environ, prefix=self.prefix, table=table)

    def tables(self) -> Tables:
        """DynamoDB's operations on tables, in the table's region."""
        region = self.layout(self.variable("SESSION_TABLE") or "none").region
        return Tables(open_wire(environ=self.environ, regions={"dynamodb": region} if region else None))

    def configuration(self) -> Configuration:
        """The settings, user pool and app client included. SESSION_TABLE may be unset: commands name their tables."""
        return Configuration.from_env(self.environ, prefix=self.prefix, session_table=self.variable("SESSION_TABLE") or "none")

    def variable(self, setting: str) -> str | None:
        """The text of a setting's variable, unchecked; None if it is empty."""
        return next(filter(None, map(self.environ.get, variable_names(setting, self.prefix))), None)
