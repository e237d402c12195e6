"""`table create` and `table check` on the stack's DynamoDB create, correct, or refuse with each difference named."""

from __future__ import annotations

from itertools import count

import pytest

from cognito_session.aws.transport.interface import AnswerLost, ServiceError
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.ops.table import Layout, Tables, Wanted, check, create
from cognito_session.testing.clock import ManualClock

numbers = count(1)


@pytest.fixture
def environment(stack):
    """An operator's environment, without any user pool, and a table name that is free."""
    return {**stack.environment(), "SESSION_TABLE": f"made-{next(numbers)}"}


layouts = pytest.mark.parametrize(
    "keys", [{}, {"SORT_KEY": "sid"}, {"PARTITION_KEY": "user", "SORT_KEY": "session"}], ids=["seed", "many", "renamed"]
)


@layouts
def test_create_then_check(stack, environment, command, keys):
    """A table made by the command passes its own check, in every layout, and is what the library reads and writes."""
    env = environment | keys
    assert command("table", "check", env=env, status=1).stdout.startswith("problem: there is no table")
    command("table", "create", "--deletion-protection", "--tag", "team=web", env=env)
    assert "ok: table" in command("table", "check", "--deletion-protection", env=env).stdout
    made = stack.dynamodb().call("DescribeTable", TableName=env["SESSION_TABLE"])["Table"]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [key["AttributeName"] for key in made["KeySchema"]] == [keys.get("PARTITION_KEY", "sub"), *list(keys.values())[-1:]][
        : 1 + ("SORT_KEY" in keys)
    ]
    tags = stack.dynamodb().call("ListTagsOfResource", ResourceArn=made["TableArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "web"}]


def test_create_twice_is_fine(environment, command):
    """The second run finds everything as it should be and changes nothing."""
    command("table", "create", env=environment)
    assert "already as it should be" in command("table", "create", env=environment).stdout


def test_create_mends_what_a_call_can(stack, environment, command):
    """A table without time to live and recovery gets both; check names them before, each with its fix."""
    stack.create_table(environment["SESSION_TABLE"])
    found = command("table", "check", env=environment, status=1).stdout
    assert "problem: time to live is off" in found
    assert "problem: point-in-time recovery is off" in found
    said = command("table", "create", "--deletion-protection", env=environment).stdout
    assert said.count("turned on") == 3
    command("table", "check", "--deletion-protection", env=environment)


def test_without_recovery(environment, command):
    """--no-pitr neither asks for recovery nor turns it on."""
    said = command("table", "create", "--no-pitr", env=environment).stdout
    assert "recovery" not in said
    command("table", "check", "--no-pitr", env=environment)
    assert "recovery" in command("table", "check", env=environment, status=1).stdout


def test_another_table_is_refused_with_every_difference(stack, environment, command):
    """Wrong partition key, missing sort key, another time to live: all are named, and nothing is changed."""
    name = environment["SESSION_TABLE"]
    stack.create_table(name, partition_key="userId", ttl_attribute="expires")
    env = environment | {"SORT_KEY": "sid"}
    said = command("table", "create", env=env, status=1).stderr
    for part in ("its partition key is userId; expected sub", "it has no sort key; expected sid", "attribute expires, not ttl"):
        assert part in said
    assert "PARTITION_KEY=userId" in said
    backups = stack.dynamodb().call("DescribeContinuousBackups", TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


def test_key_types_and_billing_are_differences(stack, environment, command):
    """A key of type Number and provisioned capacity are refused by create; check lets the capacity pass."""
    name = environment["SESSION_TABLE"]
    stack.dynamodb().call(
        "CreateTable",
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "sub", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "sub", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    said = command("table", "create", env=environment, status=1).stderr
    assert "type N, not S" in said
    assert "provisioned capacity" in said
    assert "difference: it has provisioned capacity" in command("table", "check", env=environment, status=1).stdout


def test_endpoint_beats_the_environment(stack, environment, command):
    """--endpoint is where the table is made, whatever AWS_ENDPOINT_URL says."""
    env = environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    command("--endpoint", stack.url, "table", "create", env=env)
    assert stack.dynamodb().call("DescribeTable", TableName=env["SESSION_TABLE"])


def test_nobody_there_is_one_line(environment, command):
    """A DynamoDB that is not to be reached is one line and exit status 1."""
    env = environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = command("table", "check", env=env, status=1).stderr
    assert said.startswith("Error: DynamoDB: ")
    assert len(said.splitlines()) == 1


def test_no_table_named(command):
    """Without SESSION_TABLE the message names it; no pool is asked for."""
    said = command("table", "check", status=1).stderr
    assert "SESSION_TABLE is not set" in said
    assert "CLIENT_ID" not in said


def test_another_store_has_no_table(command):
    """With SESSION_STORE and no table the message says that the command is for DynamoDB."""
    env = {"SESSION_STORE": "sqlite:///sessions.db"}
    assert "is for DynamoDB" in command("table", "check", env=env, status=1).stderr


def test_a_tag_needs_a_value(environment, command):
    """A tag without "=" is a usage error."""
    assert "KEY=VALUE" in command("table", "create", "--tag", "team", env=environment, status=2).stderr


# --- what the stack does not do


class Script:
    """A wire that answers from a script: operation -> answers in order, the last one for ever."""

    def __init__(self, **answers):
        self.answers = answers
        self.called = []

    def call(self, service, operation, payload, *, timeout_seconds):
        self.called.append(operation)
        answers = self.answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def fault(code, status=400, message=""):
    """A service's refusal."""
    return ServiceError("dynamodb.DescribeTable", code, status, message=message)


def described(status="ACTIVE", **more):
    """DescribeTable's answer for a right table of the seed's layout."""
    table = {
        "TableStatus": status,
        "KeySchema": [{"AttributeName": "sub", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "sub", "AttributeType": "S"}],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "DeletionProtectionEnabled": True,
    }
    return {"Table": table | more}


GONE = fault("ResourceNotFoundException")
TTL_ON = {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}}
PITR_OFF = {"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED"}}
WANTED = Wanted(Layout("sessions", "sub", None))


def tables(script):
    """Tables whose waiting moves a clock by hand."""
    clock = ManualClock()
    return Tables(script, clock=clock, sleep=clock.advance)


def test_create_waits_until_active_and_for_backups():
    """A table that is CREATING, not yet known, and whose backups are not yet set up is waited for."""
    script = Script(
        DescribeTable=[GONE, GONE, described("CREATING"), described()],
        CreateTable=[{}],
        DescribeTimeToLive=[TTL_ON],
        DescribeContinuousBackups=[PITR_OFF],
        UpdateContinuousBackups=[fault("ContinuousBackupsUnavailableException"), {}],
    )
    assert "created table sessions" in create(tables(script), WANTED)
    assert script.called.count("UpdateContinuousBackups") == 2


def test_waiting_ends():
    """A table that never becomes ACTIVE ends the command after the time it was given."""
    script = Script(DescribeTable=[described("CREATING")])
    with pytest.raises(StoreUnavailable, match="within 30 seconds"):
        create(tables(script), WANTED, wait_seconds=30)
    assert len(script.called) < 40


def test_somebody_else_was_faster():
    """A table that another run makes meanwhile is taken as it is found."""
    script = Script(
        DescribeTable=[GONE, described()],
        CreateTable=[fault("ResourceInUseException")],
        DescribeTimeToLive=[TTL_ON],
        DescribeContinuousBackups=[PITR_OFF],
    )
    wanted = WANTED._replace(pitr=False)
    assert create(tables(script), wanted) == ["table sessions is already as it should be"]


def test_time_to_live_being_turned_off_must_be_waited_for():
    """No call corrects DISABLING, and the message says so."""
    script = Script(
        DescribeTable=[described()],
        DescribeTimeToLive=[{"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLING", "AttributeName": "ttl"}}],
        DescribeContinuousBackups=[PITR_OFF],
    )
    with pytest.raises(ConfigurationError, match="Wait up to an hour"):
        create(tables(script), WANTED)


def test_every_global_table_is_a_problem():
    """Without strong consistency conditions hold in one region only; with it there are no transactions and no time to live."""
    replicas = {"Replicas": [{"RegionName": "eu-west-1"}]}
    strong = replicas | {"MultiRegionConsistency": "STRONG"}
    for more, words in ((replicas, "not strongly consistent"), (strong, "neither transactions nor time to live")):
        script = Script(DescribeTable=[described(**more)], DescribeTimeToLive=[TTL_ON])
        (problem,) = check(tables(script), WANTED._replace(pitr=False))
        assert problem.level == "problem"
        assert words in problem.what


@layouts
def test_a_table_with_strong_consistency_is_refused(stack, environment, command, keys):
    """check, create and migrate name why such a table cannot be used, and change nothing; the advice is no call that fails."""
    env = environment | keys
    names = {"partition_key": keys.get("PARTITION_KEY", "sub"), "sort_key": keys.get("SORT_KEY")}
    stack.create_table(env["SESSION_TABLE"], **names, strong_consistency=True)
    found = command("table", "check", env=env, status=1).stdout
    assert "neither transactions nor time to live" in found
    assert "time to live is off" not in found
    stack.clear_calls()
    assert "neither transactions nor time to live" in command("table", "create", env=env, status=1).output
    assert not [call for call in stack.calls() if call.operation.startswith("Update")]
    if "SORT_KEY" in keys:
        old = stack.create_table(f"old-{next(numbers)}", partition_key=names["partition_key"])
        moved = command("table", "migrate", "--from", old, "--to", env["SESSION_TABLE"], env=env, status=1)
        assert "neither transactions nor time to live" in moved.output


@pytest.mark.parametrize(
    ("status", "words"), [("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "KMS key"), ("ARCHIVED", "Restore"), ("CREATING", "Wait")]
)
def test_a_table_that_is_not_active(status, words):
    """The advice fits the status: waiting does not bring a KMS key back."""
    script = Script(DescribeTable=[described(TableStatus=status)], DescribeTimeToLive=[TTL_ON])
    (problem,) = check(tables(script), WANTED._replace(pitr=False))
    assert status in problem.what
    assert words in problem.fix


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (fault("AccessDeniedException"), ConfigurationError, "allow dynamodb:DescribeTable"),
        (AnswerLost("time out"), StoreUnavailable, "AWS_REGION"),
        (fault("InternalServerError", 500), StoreUnavailable, "InternalServerError"),
    ],
)
def test_refusals_say_what_to_do(answer, error, said):
    """A missing permission is named; an outage is one."""
    with pytest.raises(error, match=said):
        check(tables(Script(DescribeTable=[answer])), WANTED)


def test_create_passes_on_why_it_was_refused():
    """DynamoDB's own words about a table that cannot be made."""
    script = Script(DescribeTable=[GONE], CreateTable=[fault("ValidationException", message="tags too long")])
    with pytest.raises(ConfigurationError, match="tags too long"):
        create(tables(script), WANTED)
    arn = Layout("arn:aws:dynamodb:eu-west-1:123456789012:table/sessions", "sub", None)
    with pytest.raises(ConfigurationError, match="by its name"):
        create(tables(Script(DescribeTable=[GONE])), Wanted(arn))
