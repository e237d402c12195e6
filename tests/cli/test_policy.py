"""The IAM policy: exactly what the source calls and a recorded run shows, no more."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import botocore.session
import pytest

import cognito_session
from cognito_session.aws.transport import open as transport
from cognito_session.core.protocol import conditions as writes
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.record import SessionKey
from cognito_session.ops import iam
from support.stack import cookie_of, make_app

SOURCE = Path(cognito_session.__file__).parent
NOT_AT_RUN_TIME = {"ops", "local", "testing"}
SERVICES = ("dynamodb", "cognito-idp", "secretsmanager")
ROWS = {f"dynamodb:{name}" for name in ("ConditionCheckItem", "GetItem", "PutItem", "Query", "UpdateItem")}


def texts(path):
    """Every text literal of a file but those of its list of exports."""
    body = [node for node in ast.parse(path.read_text()).body if "__all__" not in ast.unparse(node)[:7]]
    return {node.value for top in body for node in ast.walk(top) if isinstance(node, ast.Constant)}


def operations():
    """Every operation of the services, by AWS's own models."""
    session = botocore.session.get_session()
    return {(name, operation) for name in SERVICES for operation in session.get_service_model(name).operation_names}


def test_the_list_is_what_the_source_names():
    """CALLS holds each operation that a file of the library names outside of its tools, and none that none names."""
    files = [p for p in SOURCE.rglob("*.py") if p.relative_to(SOURCE).parts[0] not in NOT_AT_RUN_TIME]
    named = set().union(*(texts(path) for path in files))
    assert {call[:2] for call in iam.CALLS} == {found for found in operations() if found[1] in named}


def test_the_parts_of_a_transaction_are_those_of_the_store():
    """Each kind of part that the store puts into a transaction has its IAM action, and no other is allowed."""
    kinds = {"Put", "Update", "Delete", "ConditionCheck"}
    assert set(iam.TRANSACTION_PARTS) == texts(SOURCE / "aws" / "dynamodb.py") & kinds


class Recorder:
    """A wire that passes everything on and remembers what was signed."""

    def __init__(self, inner):
        self.inner = inner
        self.calls = set()

    def call(self, service, operation, payload, *, signed=True, **settings):
        self.calls.add((service, operation, signed))
        return self.inner.call(service, operation, payload, signed=signed, **settings)

    def get(self, url, **settings):
        return self.inner.get(url, **settings)


@pytest.mark.parametrize("sort_key", [None, "sid"])
def test_a_recorded_run_needs_nothing_else(stack, monkeypatch, sort_key):
    """Sign-in, requests, refresh, lists, data, sign-out: every signed call is allowed, every other is public."""
    recorders = []

    def recorded(**settings):
        recorders.append(Recorder(open_wire(**settings)))
        return recorders[-1]

    open_wire = transport.open_wire
    monkeypatch.setattr(transport, "open_wire", recorded)
    app = make_app(stack, sort_key=sort_key)
    manager, user = app.manager(), app.user()
    cookie = cookie_of(manager.establish(app.sign_in(user)))
    app.expire()
    me = manager.resolve(cookie).session
    manager.save_data(me, {"n": 1})
    manager.sessions_of(user.sub)
    key = SessionKey(user.sub, me.sid)
    anything = writes.either("any", writes.Comparison("sub", "exists"), writes.Comparison("sub", "absent"))
    manager.ports.store.write_all(
        [Change(WriteKind.CREATE, key, (anything,)), Change(WriteKind.MARK_SEEN, SessionKey("x", "y"), (), put={"n": 1})]
    )
    manager.revoke_all(user.sub)
    manager.sign_out(cookie_of(manager.establish(app.sign_in(app.user()))))

    known = {call[:2]: call.need for call in iam.CALLS}
    (recorder,) = recorders
    for service, operation, signed in recorder.calls:
        assert (known[service, operation] != "public") is signed
    logged = {call.operation for call in stack.calls() if call.service in ("dynamodb", "cognito")}
    assert logged == {operation for _, operation, _ in recorder.calls}
    unused = {"GetSecretValue"} | ({"PutItem"} if sort_key else set())
    forms = {call.operation for call in iam.CALLS if call.need == "public"} - {"GetTokensFromRefreshToken", "RevokeToken"}
    assert logged == {call.operation for call in iam.CALLS} - unused - forms


def test_the_policy_of_a_plain_app(command):
    """Rows of the one table, nothing else: the whole document."""
    env = {"SESSION_TABLE": "sessions", "AWS_REGION": "eu-central-1"}
    document = json.loads(command("table", "policy", "--account", "123456789012", env=env).stdout)
    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SessionRows",
                "Effect": "Allow",
                "Action": sorted(ROWS),
                "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions",
            }
        ],
    }


def test_the_policy_of_an_app_with_everything(command):
    """A secret and signing out everywhere each add one action on one resource."""
    env = {
        "SESSION_TABLE": "sessions",
        "AWS_REGION": "eu-central-1",
        "SESSION_SECRET_ARN": "session/keys",
        "USER_POOL_ID": "eu-west-1_AbC",
        "CLIENT_ID": "client",
    }
    result = command("table", "policy", "--account", "123456789012", "--global-sign-out", env=env)
    _, secret, everywhere = json.loads(result.stdout)["Statement"]
    assert secret["Action"] == ["secretsmanager:GetSecretValue"]
    assert secret["Resource"] == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:session/keys-??????"
    assert everywhere["Action"] == ["cognito-idp:AdminUserGlobalSignOut"]
    assert everywhere["Resource"] == "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbC"
    assert "kms:Decrypt" in result.stderr


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-3", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")],
)
def test_the_policy_of_a_table_elsewhere(command, region, partition):
    """The table's ARN has its own region and partition; a secret that is only named is in AWS_REGION."""
    env = {
        "SESSION_TABLE": "sessions",
        "SESSION_TABLE_REGION": region,
        "AWS_REGION": "eu-central-1",
        "SESSION_SECRET_ARN": "keys",
    }
    rows, secret = json.loads(command("table", "policy", "--account", "123456789012", env=env).stdout)["Statement"]
    assert rows["Resource"] == f"arn:{partition}:dynamodb:{region}:123456789012:table/sessions"
    assert secret["Resource"] == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-??????"


def test_the_account_is_looked_up(app, command):
    """Without --account the table's own ARN is asked for; a table that is not there says to name the account."""
    document = json.loads(command("table", "policy", env=app.environment).stdout)
    assert document["Statement"][0]["Resource"] == f"arn:aws:dynamodb:us-east-1:000000000000:table/{app.table}"
    missing = {**app.environment, "SESSION_TABLE": "nowhere"}
    assert "--account" in command("table", "policy", env=missing, status=1).stderr


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-central-1", "aws")]
)
def test_partitions(region, partition):
    """ARNs of China and GovCloud begin with their own partition."""
    assert iam.Place(region, "1").arn("dynamodb", "table/t") == f"arn:{partition}:dynamodb:{region}:1:table/t"


def test_a_table_arn_is_taken_as_it_is(command):
    """SESSION_TABLE may be an ARN: then nothing is looked up; a broken one is an error."""
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions"
    document = json.loads(command("table", "policy", env={"SESSION_TABLE": arn}).stdout)
    assert document["Statement"][0]["Resource"] == arn
    assert "ARN like" in command("table", "policy", env={"SESSION_TABLE": "arn:aws:table"}, status=1).stderr


def test_a_region_is_needed(command, monkeypatch):
    """With --account and no region there is no ARN to write."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    said = command("table", "policy", "--account", "123456789012", env={"SESSION_TABLE": "sessions"}, status=1).stderr
    assert "AWS_REGION" in said


@pytest.mark.parametrize("account", ["12", "1234-5678-9012", "", "mine", "1234567890123"])
def test_an_account_is_twelve_digits(command, account):
    """Anything else would make an ARN that allows nothing."""
    said = command("table", "policy", "--account", account, env={"SESSION_TABLE": "sessions"}, status=1).stderr
    assert "--account: expected the AWS account's number, 12 digits" in said
