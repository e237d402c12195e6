"""What the documentation tells a reader to run and to allow exists: commands, options, IAM actions, variables."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from cognito_session.cli import main
from cognito_session.ops import iam
from partitions import SERVICES

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
COMMAND = re.compile(r"cognito-session((?: (?:--?)?[A-Za-z|][\w|-]*)+)")
LIBRARY = re.compile(r"\[(\w+)\]")
ACTION = re.compile(rf"\b({'|'.join(SERVICES)}):([A-Z]\w+)(\*)?")
OPERATORS = {"cognito-idp:DescribeUserPool", "cognito-idp:DescribeUserPoolClient", "dynamodb:Describe"}
OPERATORS |= {"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:DescribeContinuousBackups"}


def commands_of(text):
    """Each command of ours in a page: its words, options included. A package's extras, `cognito-session[curl]`, are none."""
    for line in text.splitlines():
        quoted = re.findall(r"`([^`]*)`", line) if "`" in line else [line]
        for part in quoted:
            for match in COMMAND.finditer(part):
                yield match[1].split()


def faults_of(words):
    """What of a command does not exist."""
    command: click.Command = main
    for word in words:
        if word.startswith("-"):
            known = {option for parameter in (*main.params, *command.params) for option in parameter.opts}
            if word not in known | {"--help"}:
                return [f"no option {word} of {command.name}"]
        elif isinstance(command, click.Group):
            found = [command.get_command(click.Context(command), each) for each in word.split("|")]
            if None in found:
                return [f"no command {word} of {command.name}"]
            command = found[0]
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists(page):
    """Each command and option of ours that a page names is one that the program has."""
    assert [f"{' '.join(words)}: {fault}" for words in commands_of(page.read_text()) for fault in faults_of(words)] == []


def test_the_check_would_notice():
    """A command that is not there is found, and so is an option; commands in a sentence are read."""
    assert list(commands_of("run `cognito-session policy` or `cognito-session table policy --account 1`")) == [
        ["policy"],
        ["table", "policy", "--account"],
    ]
    assert faults_of(["policy"]) == ["no command policy of main"]
    assert faults_of(["table", "policy", "--account"]) == []
    assert faults_of(["table", "check", "--acount"]) == ["no option --acount of check"]
    assert faults_of(["table", "create|check|policy|migrate"]) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_action_is_one_that_we_use(page):
    """Each IAM action that a page names is one of the policy that we print, or of the operator's commands."""
    actions = {f"{call.service}:{call.operation}" for call in iam.CALLS}
    actions |= {f"dynamodb:{part}" for part in iam.TRANSACTION_PARTS.values()}
    named = {f"{service}:{operation}" for service, operation, _ in ACTION.findall(page.read_text())}
    assert named - actions - OPERATORS == set()


def test_the_guide_names_the_whole_role():
    """The Lambda guide lists every action on the table that the printed policy allows."""
    arn = iam.Place("eu-central-1", "1").arn("dynamodb", "table/t")
    (statement,) = iam.policy(table_arn=arn)["Statement"]
    guide = (ROOT / "docs/guides/lambda.md").read_text()
    assert [action for action in statement["Action"] if f"`{action}`" not in guide] == []
