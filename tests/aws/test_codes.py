"""Every documented error code, on both wires: an outage or the operator's error with advice that fits, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest

from aws.echo_server import EchoServer
from cognito_session.aws.client_secret import ClientSecret
from cognito_session.aws.cognito_codes import COGNITO, pool_failure
from cognito_session.aws.common_codes import COMMON, KMS
from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.dynamodb_codes import DYNAMODB, has_failed_condition, table_failure
from cognito_session.aws.secrets_codes import SECRETS_MANAGER, secret_failure
from cognito_session.aws.stored_secret import StoredSecret
from cognito_session.aws.token_refresh import CognitoProvider
from cognito_session.aws.transport.interface import MAX_SENTENCE_CHARS, ServiceError, one_line
from cognito_session.aws.transport.open import open_wire
from cognito_session.clock import SystemClock
from cognito_session.core.errors import (
    ConfigurationError,
    ProviderUnavailable,
    SessionError,
    SessionUnavailable,
    StoreUnavailable,
)
from cognito_session.core.protocol.conditions import Change, WriteKind, equals
from cognito_session.core.protocol.record import SessionKey
from cognito_session.ops.repeated_calls import RepeatedCalls
from cognito_session.ops.table import Layout, Tables, Wanted, check, create

KEY = SessionKey("sub-1", "sid-1")
SENTENCE = "These are the very words of AWS."

# AWS's pages "Common Error Types" and "Error handling with DynamoDB", and what services of other ages say for the same.
PASSING = {
    *("ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"),
    *("LimitExceededException", "LimitExceeded", "ReplicatedWriteConflictException", "TransactionConflictException"),
    *("TransactionInProgressException", "TransactionCanceledException", "ResourceInUseException", "InternalServerError"),
    *("InternalFailure", "ServiceUnavailable", "RequestTimeoutException", "RequestAbortedException", "ExpiredToken"),
    *("ExpiredTokenException", "KMSThrottlingException", "KMSInternalException", "NeverSeenException"),
}
SET_UP = {
    *("AccessDeniedException", "AccessDenied", "NotAuthorized", "IncompleteSignature", "IncompleteSignatureException"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "UnrecognizedClientException", "OptInRequired"),
    *("InvalidSignatureException", "SignatureDoesNotMatch", "InvalidClientTokenId", "AuthFailure", "RequestExpired"),
    *("ResourceNotFoundException", "ValidationException", "ValidationError", "SerializationException"),
    *("MalformedHttpRequestException", "RequestEntityTooLargeException", "UnknownOperationException", "InvalidAction"),
    *("ItemCollectionSizeLimitExceededException", "PolicyNotFoundException", "SubscriptionRequiredException"),
    *("KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"),
    *("KMSOptInRequired", "KMSSomethingNewException", "InvalidParameterCombination", "MissingParameter", "MissingAction"),
}
OF_THE_TABLE = {"ItemCollectionSizeLimitExceededException", "PolicyNotFoundException", "ResourceInUseException"}
ADVICE = {
    "AccessDeniedException": "allow dynamodb:{operation}",
    "ExpiredTokenException": "have expired",
    "UnrecognizedClientException": "AWS_SESSION_TOKEN",
    "InvalidSignatureException": "AWS_SECRET_ACCESS_KEY",
    "MissingAuthenticationTokenException": "signature",
    "OptInRequired": "subscribed",
    "KMSDisabledException": "KMS key",
    "ItemCollectionSizeLimitExceededException": "local secondary index",
    "ReplicatedWriteConflictException": "another region",
    "ResourceInUseException": "ACTIVE",
    "UnknownOperationException": "AWS_ENDPOINT_URL",
}
ASKED: dict[str, Callable[[DynamoDBStore], object]] = {
    "GetItem": lambda store: store.load(KEY),
    "UpdateItem": lambda store: store.write(Change(WriteKind.MARK_SEEN, KEY, (equals("gen", 1),), put={"mark": 1})),
    "PutItem": lambda store: store.write(
        Change(WriteKind.RELEASE, KEY, (), put={"sub": KEY.sub, "sid": KEY.sid}, replace=True)
    ),
    "TransactWriteItems": lambda store: store.write_all([Change(WriteKind.MARK_SEEN, KEY, (), put={"mark": 1})]),
    "Query": lambda store: store.rows_of(KEY.sub),
}
_numbers = count(1)


def refused(ask: Callable[[], object]) -> SessionError:
    """What is raised, which holds AWS's code, sentence and request id, and shows a client none of them."""
    with pytest.raises(SessionError) as caught:
        ask()
    error, cause = caught.value, caught.value.__cause__
    assert isinstance(cause, ServiceError)
    assert cause.message == SENTENCE
    assert len(cause.request_id) > 10
    assert cause.code in str(error)
    public = f"{error.public_body()} {error.public_headers()}"
    assert SENTENCE not in public
    assert cause.code not in public
    return error


@pytest.mark.parametrize("operation", ASKED)
def test_every_code_of_the_table(stack, wire, operation):
    """Each documented code, and an unknown one, is StoreUnavailable or ConfigurationError with AWS's sentence and id."""
    store = DynamoDBStore(lambda: wire, table=f"codes-{next(_numbers)}", partition_key="sub", sort_key="sid")
    for code in sorted(PASSING | SET_UP):
        stack.refuse(operation, code, SENTENCE, times=None)
        error = refused(lambda: ASKED[operation](store))
        stack.clear_faults()
        assert type(error) is (StoreUnavailable if code in PASSING else ConfigurationError), code
        assert SENTENCE in str(error)
        assert str(error.__cause__.request_id) in str(error)
        judged = "PutItem" if operation == "TransactWriteItems" else operation  # IAM has no action for the whole
        assert ADVICE.get(code, "").format(operation=judged) in str(error)


@pytest.mark.parametrize("status", [500, 503])
def test_every_code_with_a_server_s_status_is_an_outage(stack, wire, status):
    """A 5xx is an outage, whatever its code."""
    store = DynamoDBStore(lambda: wire, table="codes", partition_key="sub", sort_key="sid")
    for code in ("AccessDeniedException", "ValidationException", "NeverSeenException"):
        stack.refuse("GetItem", code, SENTENCE, status=status, times=2)
        assert type(refused(lambda: store.load(KEY))) is StoreUnavailable


def test_every_code_of_the_secret(stack, wire):
    """The same for the secret with the sealing keys."""
    arn = stack.create_secret(f"secret-{next(_numbers)}", "text")
    own = {"DecryptionFailure", "InvalidRequestException", "InvalidParameterException"}
    for code in sorted((PASSING | SET_UP | own) - OF_THE_TABLE - {"ConditionalCheckFailedException"}):
        stack.refuse("GetSecretValue", code, SENTENCE, times=None)
        error = refused(lambda: StoredSecret(lambda: wire, arn).keys())
        stack.clear_faults()
        lasting = code in SET_UP | own
        assert type(error) is (ConfigurationError if lasting else SessionUnavailable), code
        assert error.reason == ("configuration" if lasting else "keyring_unavailable")
        assert "SESSION_SECRET_ARN" in str(error)
        assert SENTENCE in str(error)


def test_every_code_of_a_signed_call_to_the_user_pool(stack, wire):
    """The same for AdminUserGlobalSignOut; of Cognito's sentences, which may name a user, only IAM's is repeated."""
    provider = CognitoProvider(
        lambda: wire, client_id="c", client_secret=ClientSecret(None), clock=SystemClock(), user_pool_id="p"
    )
    for code in sorted((PASSING | SET_UP | {"NotAuthorizedException", "ForbiddenException"}) - OF_THE_TABLE):
        stack.refuse("AdminUserGlobalSignOut", code, SENTENCE, times=None)
        error = refused(lambda: provider.global_sign_out("alice"))
        stack.clear_faults()
        lasting = code in SET_UP | {"NotAuthorizedException"}
        assert type(error) is (ConfigurationError if lasting else ProviderUnavailable), code
        assert (SENTENCE in str(error)) == code.startswith("AccessDenied")


def test_every_code_of_a_revocation(stack, wire):
    """RevokeToken is unsigned: each code that its model lists, and those that all services share, is one of two errors."""
    provider = CognitoProvider(lambda: wire, client_id="c", client_secret=ClientSecret(None), clock=SystemClock())
    model = botocore.session.Session().get_service_model("cognito-idp").operation_model("RevokeToken")
    for code in sorted({shape.name for shape in model.error_shapes} | ((PASSING | SET_UP) - OF_THE_TABLE)):
        stack.refuse("RevokeToken", code, SENTENCE, times=None)
        with pytest.raises((ConfigurationError, ProviderUnavailable)) as caught:
            provider.revoke("very-secret")
        stack.clear_faults()
        if code in SET_UP | {"UnauthorizedException", "UnsupportedOperationException", "OperationNotEnabledException"}:
            assert isinstance(caught.value, ConfigurationError), code
        if not code.startswith("AccessDenied"):
            assert SENTENCE not in str(caught.value)


TABLE_CALLS = {
    "DescribeTable": check,
    "DescribeTimeToLive": check,
    "DescribeContinuousBackups": check,
    "UpdateTimeToLive": lambda tables, wanted: create(tables, wanted, wait_seconds=0),
    "UpdateContinuousBackups": lambda tables, wanted: create(tables, wanted, wait_seconds=0),
    "CreateTable": lambda tables, wanted: create(tables, wanted._replace(layout=Layout("new", "sub", None)), wait_seconds=0),
    "Scan": lambda tables, wanted: list(RepeatedCalls(tables).scan({"TableName": wanted.layout.table})),
    "GetItem": lambda tables, wanted: RepeatedCalls(tables).get(wanted.layout.table, {"sub": {"S": "x"}}),
    "DeleteItem": lambda tables, wanted: RepeatedCalls(tables).write(
        "DeleteItem", {"TableName": wanted.layout.table, "Key": {"sub": {"S": "x"}}}
    ),
}


@pytest.mark.parametrize("operation", TABLE_CALLS)
def test_every_code_of_the_commands_on_tables(stack, operation):
    """`table create`, `table check`, the doctor and the migration end with an error of this package, never with a bare one."""
    wire = open_wire(environ=stack.environment())
    tables = Tables(wire, sleep=lambda _: None)
    wanted = Wanted(Layout(stack.create_table(f"codes-{next(_numbers)}"), "sub", None))
    answered = {"DescribeTable": {"ResourceNotFoundException"}, "CreateTable": {"ResourceInUseException"}}
    for code in sorted((PASSING | SET_UP) - answered.get(operation, set())):
        stack.refuse(operation, code, SENTENCE, times=None)
        with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
            TABLE_CALLS[operation](tables, wanted)
        stack.clear_faults()
        if code in SET_UP:
            assert isinstance(caught.value, ConfigurationError), code
            assert SENTENCE in str(caught.value)


# --- the tables themselves

OPERATIONS = {
    "dynamodb": (
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "TransactWriteItems", "CreateTable"),
        *("DescribeTable", "UpdateTable", "DescribeTimeToLive", "UpdateTimeToLive"),
        *("DescribeContinuousBackups", "UpdateContinuousBackups"),
    ),
    "secretsmanager": ("GetSecretValue",),
    "cognito-idp": ("AdminUserGlobalSignOut", "DescribeUserPoolClient"),
}
ANSWERS = {"cognito-idp": {"UserNotFoundException"}}
"""Codes that are no failure: the user is gone, so nothing is left to sign out."""
TABLES: dict[str, Any] = {"dynamodb": DYNAMODB, "secretsmanager": SECRETS_MANAGER, "cognito-idp": COGNITO}


@pytest.mark.parametrize("service", OPERATIONS)
def test_every_code_of_the_service_model_is_known(service):
    """Each error that botocore's model lists for an operation that this package calls stands in a table."""
    model = botocore.session.Session().get_service_model(service)
    known = {**COMMON, **KMS, **TABLES[service]}
    shapes = [shape for name in OPERATIONS[service] for shape in model.operation_model(name).error_shapes]
    codes = {shape.metadata.get("error", {}).get("code") or shape.name for shape in shapes}
    assert codes - ANSWERS.get(service, set()) <= known.keys()


def test_no_code_of_a_whole_model_escapes():
    """Every error of each service, also of operations that are never called, becomes an error of this package."""
    for service, failure in (("dynamodb", table_failure), ("secretsmanager", secret_failure), ("cognito-idp", pool_failure)):
        model = botocore.session.Session().get_service_model(service)
        for shape in model.error_shapes:
            arguments = ("t",) if failure is table_failure else ()
            found = failure(ServiceError(f"{service}.X", shape.name, 400), *arguments)
            assert isinstance(found, (ConfigurationError, SessionUnavailable))


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (["None", "ThrottlingError"], StoreUnavailable),
        (["TransactionConflict", "None"], StoreUnavailable),
        (["ProvisionedThroughputExceeded", "ValidationError"], ConfigurationError),
        (["None", "ItemCollectionSizeLimitExceeded"], ConfigurationError),
        (["AccessDenied", "None"], ConfigurationError),
        (["SomethingNew"], StoreUnavailable),
        ([], StoreUnavailable),
    ],
)
def test_a_cancelled_transaction_is_what_its_reasons_say(reasons, kind):
    """Each item has a reason; one that the operator must act on counts more than one that passes."""
    body = {"CancellationReasons": [{"Code": code} for code in reasons]}
    error = ServiceError("dynamodb.TransactWriteItems", "TransactionCanceledException", 400, body=body)
    assert not has_failed_condition(error)
    assert type(table_failure(error, "rows")) is kind


@pytest.mark.parametrize(
    ("sentence", "advice"),
    [
        (
            "User: arn:x is not authorized to perform: dynamodb:GetItem because no identity-based policy allows it",
            "to the role",
        ),
        (
            "... not authorized to perform: kms:Decrypt on the resource associated with this ciphertext",
            "kms:Decrypt on the key",
        ),
        ("... because no VPC endpoint policy allows the dynamodb:GetItem action", "policy of the VPC endpoint"),
        ("... with an explicit deny in a service control policy", "service control policy"),
        ("... with an explicit deny in a resource control policy", "resource control policy"),
        ("... because no permissions boundary allows the dynamodb:GetItem action", "permissions boundary"),
        ("... because no session policy allows the dynamodb:GetItem action", "session policy"),
        ("... with an explicit deny in a resource-based policy", "resource's own policy"),
    ],
)
def test_a_denial_names_the_policy_that_denies(sentence, advice):
    """IAM says which policy is at fault: the advice is about that one."""
    error = ServiceError("dynamodb.GetItem", "AccessDeniedException", 400, message=sentence)
    text = str(table_failure(error, "rows"))
    assert advice in text
    assert sentence in text


def test_a_denied_transaction_names_actions_that_iam_has():
    """IAM judges the parts of a transaction and has no action TransactWriteItems."""
    error = ServiceError("dynamodb.TransactWriteItems", "AccessDeniedException", 400)
    told = str(table_failure(error, "rows"))
    assert "allow dynamodb:PutItem, dynamodb:UpdateItem and dynamodb:ConditionCheckItem to" in told
    assert "dynamodb:TransactWriteItems" not in told


def test_a_row_that_is_too_large_is_not_told_as_wrong_keys():
    """DynamoDB has one code for a wrong key and a row over 400 KB."""
    error = ServiceError(
        "dynamodb.PutItem", "ValidationException", 400, message="Item size has exceeded the maximum allowed size"
    )
    text = str(table_failure(error, "rows", keys="PARTITION_KEY (sub)"))
    assert "400 KB" in text
    assert "PARTITION_KEY" not in text


@pytest.mark.parametrize(
    "quoted",
    [
        "The Canonical String for this request should have been 'POST / x-amz-security-token:VERY-SECRET'",
        "Authorization header requires 'Credential' parameter. Authorization=AWS4-HMAC-SHA256 Signature=VERY-SECRET",
        "x-amz-security-token:VERY-SECRET",
    ],
)
def test_a_sentence_ends_where_it_quotes_the_request(quoted):
    """A refused signature is explained with the request's headers, session token included: they are cut off."""
    error = ServiceError("dynamodb.GetItem", "InvalidSignatureException", 400, message=f"It does not match. {quoted}")
    assert error.message.startswith("It does not match.")
    assert "VERY-SECRET" not in f"{error.message} {table_failure(error, 'rows')}"


def test_a_sentence_is_one_short_printable_line():
    """Line breaks, control characters and length are no way into a log."""
    assert one_line("a\r\nb\x1b[31m\u202ec\td") == "a b [31m c d"
    assert len(one_line("x y " * 10_000)) == MAX_SENTENCE_CHARS


def test_a_caller_with_a_long_name_is_named():
    """Roles and their sessions have up to 64 characters each: they are no token."""
    caller = f"arn:aws:sts::123456789012:assumed-role/{'r' * 64}/{'s' * 64}"
    assert caller in ServiceError("dynamodb.GetItem", "AccessDeniedException", 400, message=f"User: {caller} is not").message


@pytest.mark.parametrize(
    "sentence",
    [
        "1 validation error detected: Value 'hunter' at 2' at 'password' failed to satisfy constraint",
        f"The token eyJhbGciOiJSUzI1NiJ9.{'hunter2' * 20} is not one",
    ],
)
def test_a_sentence_holds_no_value(sentence):
    """AWS quotes what it refuses: neither a typed value nor a token is repeated."""
    error = ServiceError("cognito-idp.SignUp", "InvalidParameterException", 400, message=sentence)
    assert "hunter" not in error.message


def test_an_answer_without_a_request_id(stack):
    """A proxy's page has neither sentence nor id, and the text says what to look at."""
    refusal = ServiceError("dynamodb.GetItem", "HTTP403", 403)
    store = DynamoDBStore(lambda: SimpleNamespace(call=_raising(refusal)), table="rows", partition_key="sub", sort_key=None)
    with pytest.raises(StoreUnavailable, match="proxies") as caught:
        store.load(KEY)
    assert "request id" not in str(caught.value)


@pytest.mark.parametrize("kind", ["curl", "botocore"])
def test_where_an_answer_names_its_error_and_id(kind):
    """The name is in the body, in a header, or nowhere; the request id and Retry-After are those of any refusal, GETs too."""
    server = EchoServer()
    environ = {"AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-east-1"}
    environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    wire = open_wire(environ=environ, boto3_session=boto3.Session("a", "b") if kind == "botocore" else None)
    named = {"x-amzn-RequestId": "id-1", "Retry-After": "7"}
    server.plan += [
        (400, b'{"__type":"com.amazon.coral.service#InBody:http://x","Message":"m"}', named),
        (400, b'{"message":"m"}', {**named, "x-amzn-ErrorType": "InHeader:http://x"}),
        (400, b'{"message":"m"}', named),
        (400, b"<html>", named),
        (404, b"x", named),
    ]
    found = []
    for _ in range(4):
        with pytest.raises(ServiceError) as caught:
            wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": {"a": {"S": "b"}}}, timeout_seconds=2)
        found.append((caught.value.code, caught.value.message))
        assert caught.value.request_id == "id-1"
    with pytest.raises(ServiceError) as caught:
        wire.get(f"{server.url}/keys", timeout_seconds=2)
    server.stop()
    assert found == [("InBody", "m"), ("InHeader", "m"), ("HTTP400", "m"), ("HTTP400", "")]
    assert (caught.value.request_id, caught.value.retry_after) == ("id-1", 7)


def _raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call
