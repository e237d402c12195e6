"""Failures of credential sources: told as what they are, on botocore's own resolvers."""

from __future__ import annotations

import http.server
import json
import os
import threading
import time
from collections import ChainMap
from pathlib import Path

import boto3
import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from cognito_session.aws.dynamodb import DynamoDBStore
from cognito_session.aws.transport.credential_faults import credential_failure
from cognito_session.aws.transport.interface import AnswerLost, NotSent, ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol.record import SessionKey

KEY = {"TableName": "t", "Key": {"sub": {"S": "k"}}}
ROLE = "arn:aws:iam::123456789012:role/app"
HIDDEN = "VERY-SECRET"


class Source:
    """An endpoint that gives credentials, or refuses to: STS and a container's in one."""

    def __init__(self):
        self.plan = (200, b"")
        self.hang = 0.0
        self.asked = 0
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                source.asked += 1
                self.rfile.read(int(self.headers.get("content-length") or 0))
                time.sleep(source.hang)
                status, body = source.plan
                if not status:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815 - the names of the base class

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def refuses(self, code, message, status=400):
        """STS's error answer."""
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        self.plan = status, f"<ErrorResponse>{error}<RequestId>sts-request-1</RequestId></ErrorResponse>".encode()

    def stop(self):
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def source():
    """A credential source."""
    source = Source()
    yield source
    source.stop()


@pytest.fixture(params=["the environment", "a session"])
def aws(request, monkeypatch, tmp_path):
    """Sets the environment and the profile file of a machine that has nothing else of AWS's.

    The wire resolves credentials from the environment, or is given a session of botocore, which does so within a call.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))

    def setup(profile="", **variables):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # of the SDK's own calls to the source
        (tmp_path / "config").write_text(profile)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        settings = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}
        session = botocore.session.Session() if request.param == "a session" else None
        return open_wire(environ=ChainMap(settings, os.environ), boto3_session=session)

    return setup


def failure(wire):
    """What a signed call raises."""
    with pytest.raises((ConfigurationError, NotSent)) as caught:
        wire.call("dynamodb", "GetItem", KEY, timeout_seconds=2.5)
    assert HIDDEN not in str(caught.value)
    return caught.value


def web_identity(aws, source, tmp_path, token="a-web-identity-token"):
    """A wire under IRSA."""
    (tmp_path / "token").write_text(token)
    return aws(AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE=tmp_path / "token", AWS_ENDPOINT_URL_STS=source.url)


@pytest.mark.parametrize(
    "answer",
    [
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403),
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account", 400),
        ("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time", 400),
        ("SomethingNew", "In words that nobody knows yet", 400),
    ],
)
def test_a_role_that_sts_refuses(aws, source, tmp_path, answer):
    """The error names the web identity role, STS's code, its sentence and the request id, and is the operator's."""
    code, message, _ = answer
    source.refuses(*answer)
    error = failure(web_identity(aws, source, tmp_path))
    assert isinstance(error, ConfigurationError)
    for told in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AssumeRoleWithWebIdentity", code, message, "sts-request-1"):
        assert told in str(error)


@pytest.mark.parametrize("code", ["ServiceUnavailable", "Throttling", "IDPCommunicationError", "InternalFailure"])
def test_a_role_that_sts_cannot_give_just_now(aws, source, tmp_path, code):
    """STS's outage is an outage, and the call never left."""
    source.refuses(code, "Try again", 503 if code == "ServiceUnavailable" else 400)
    assert isinstance(failure(web_identity(aws, source, tmp_path)), NotSent)


@pytest.mark.parametrize("trouble", ["refused", "hangs", "drops", "a page"])
def test_a_role_source_that_is_not_reached(aws, source, tmp_path, trouble):
    """An STS that gives no answer is no lost answer of DynamoDB's: the call never left, and it is not sent again as dropped."""
    wire = web_identity(aws, source, tmp_path)
    if trouble == "refused":
        source.stop()
    source.plan = {"a page": (200, b"<html>"), "drops": (0, b"")}.get(trouble, (200, b""))
    source.hang = 4.0 if trouble == "hangs" else 0.0
    error = failure(wire)
    assert isinstance(error, NotSent), error


def test_a_role_whose_request_sts_finds_too_old(aws, source):
    """The advice is about the clock, not about the role's trust."""
    source.refuses("SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z", 403)
    profile = f"[default]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\naws_access_key_id=x\naws_secret_access_key=y\n"
    error = failure(aws(profile, AWS_ENDPOINT_URL_STS=source.url))
    assert isinstance(error, ConfigurationError)
    assert "clock" in str(error)


def test_a_role_of_a_profile_that_sts_refuses(aws, source):
    """The error names the profile's role."""
    source.refuses("AccessDenied", "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole", 403)
    profile = f"[default]\nrole_arn={ROLE}\nsource_profile=b\n[profile b]\naws_access_key_id=x\naws_secret_access_key=y\n"
    error = failure(aws(profile, AWS_ENDPOINT_URL_STS=source.url))
    assert isinstance(error, ConfigurationError)
    assert "role_arn" in str(error)
    assert "sts:AssumeRole" in str(error)


@pytest.mark.parametrize("token", ["", "x"])
def test_a_malformed_web_identity_token(aws, source, tmp_path, token):
    """A token file without a token is not told as a refused payload, which would send the reader to the table's keys."""
    error = failure(web_identity(aws, source, tmp_path, token))
    assert isinstance(error, ConfigurationError)
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in str(error)


_SSO = "sso_account_id=123456789012\nsso_role_name=r\n"
PROFILES = {
    "SSO, not signed in": (
        f"[default]\nsso_start_url=https://x.awsapps.com/start\nsso_region=us-east-1\n{_SSO}",
        "aws sso login",
    ),
    "an SSO session, not signed in": (
        f"[default]\nsso_session=s\n{_SSO}[sso-session s]\nsso_start_url=https://x.awsapps.com/start\nsso_region=us-east-1\n",
        "aws sso login",
    ),
    "a program that fails": (
        f'[default]\ncredential_process=/bin/sh -c "echo {HIDDEN} >&2; exit 1"\n',
        "credential_process",
    ),
    "a program that is not there": ("[default]\ncredential_process=/nonexistent/program\n", "/nonexistent/program"),
    "a program that prints something else": ("[default]\ncredential_process=/bin/echo hello\n", "JSONDecodeError"),
    "a program that prints a list": ("[default]\ncredential_process=/bin/echo [1]\n", "cannot be read"),
    "a program that prints a text": ("[default]\ncredential_process=/bin/echo '\"x\"'\n", "cannot be read"),
    "half a pair of keys": ("[default]\naws_access_key_id=x\n", "aws_secret_access_key"),
    "a source profile that is not there": (f"[default]\nrole_arn={ROLE}\nsource_profile=gone\n", "gone"),
    "nothing": ("", "AWS_ACCESS_KEY_ID"),
}


@pytest.mark.parametrize("name", PROFILES)
def test_profiles(aws, name):
    """A profile that gives no credentials is the operator's error, which names the source and holds nothing it printed."""
    profile, told = PROFILES[name]
    error = failure(aws(profile))
    assert isinstance(error, ConfigurationError), error
    assert told in str(error)


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")
def test_a_profile_that_asks_for_a_code(aws, monkeypatch):
    """A server cannot enter an MFA code: this is a configuration error, not an outage."""
    keys = "[profile b]\naws_access_key_id=x\naws_secret_access_key=y\n"
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        error = failure(aws(f"[default]\nrole_arn={ROLE}\nsource_profile=b\nmfa_serial=arn:aws:iam::1:mfa/m\n{keys}"))
    assert isinstance(error, ConfigurationError), error
    assert "mfa_serial" in str(error)


def test_keys_that_have_expired_when_they_are_read(aws, tmp_path):
    """A later try may bring others, so it is an outage; the text says what is the matter."""
    answer = {"Version": 1, "AccessKeyId": "x", "SecretAccessKey": "y", "Expiration": "2020-01-01T00:00:00Z"}
    printed = tmp_path / "printed"
    printed.write_text(json.dumps(answer))
    error = failure(aws(f"[default]\ncredential_process=/bin/cat {printed}\n"))
    assert isinstance(error, NotSent)
    assert "had expired when they were read" in str(error)


def test_variables(aws, tmp_path):
    """A profile, a token file or a key that is missing is named."""
    gone = tmp_path / "gone"
    for variables, told in (
        ({"AWS_PROFILE": "missing"}, "missing"),
        ({"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": gone}, str(gone)),
    ):
        with pytest.MonkeyPatch.context() as patched:
            wire = aws()
            for variable, value in variables.items():
                patched.setenv(variable, str(value))
            error = failure(wire)
        assert isinstance(error, ConfigurationError)
        assert told in str(error)


@pytest.fixture
def hasty(monkeypatch):
    """The SDK asks a container three times, a second apart."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)


@pytest.mark.parametrize(
    ("plan", "kind"),
    [((403, f'{{"message":"{HIDDEN}"}}'), ConfigurationError), ((404, "x"), ConfigurationError), ((500, "x"), NotSent)],
)
@pytest.mark.usefixtures("hasty")
def test_a_container_that_refuses(aws, source, plan, kind):
    """Its endpoint's refusal is the operator's error, its outage is not; what it answered is not shown."""
    source.plan = plan[0], plan[1].encode()
    error = failure(aws(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{source.url}/c"))
    assert isinstance(error, kind), error
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in str(error)


@pytest.mark.usefixtures("hasty")
def test_a_container_that_is_not_reached(aws):
    """A container's endpoint that is down is an outage, and the call never left: a store says "could not find out"."""
    wire = aws(AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/c")
    assert isinstance(failure(wire), NotSent)
    store = DynamoDBStore(lambda: wire, table="t", partition_key="sub", sort_key=None)
    with pytest.raises(StoreUnavailable, match="not sent"):
        store.load(SessionKey("s", "i"))


def test_credentials_that_come_later_are_found(aws, monkeypatch):
    """A client that was made when there were no credentials does not keep the wire from ever finding some."""
    wire = aws()
    assert isinstance(failure(wire), ConfigurationError)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    assert "refused" in str(failure(wire)).lower() or isinstance(failure(wire), NotSent)


def test_other_failures_keep_the_clients(aws, monkeypatch):
    """Making clients takes a moment: only those without credentials are made again."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    session = boto3.Session("x", "y", region_name="eu-central-1")
    wire = open_wire(environ={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}, boto3_session=session)
    failure(wire)
    made = dict(wire._clients._made)
    with pytest.raises(ConfigurationError, match="newer boto3"):
        wire.call("dynamodb", "GetItemFromTheFuture", {}, timeout_seconds=1)
    with pytest.raises(ServiceError):
        wire.call("dynamodb", "GetItem", {"TableName": "t", "Key": 5}, timeout_seconds=1)
    failure(wire)
    assert made
    assert wire._clients._made.items() >= made.items()


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc", "signin"])
def test_every_code_of_a_source_s_model(service):
    """Each error that botocore's model of a credential source lists, and an unknown one, is one of two errors."""
    session = botocore.session.Session()
    if service not in session.get_available_services():
        service = "sts"  # an older botocore without it
    names = {shape.name for shape in session.get_service_model(service).error_shapes} | {"NeverSeenException"}
    for name in names:
        refusal = {"Error": {"Code": name, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r"}}
        found = credential_failure("dynamodb.GetItem", ClientError(refusal, "AssumeRole"))
        assert isinstance(found, (ConfigurationError, NotSent)), name
        assert name in str(found)
    outage = {"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
    assert isinstance(credential_failure("dynamodb.GetItem", ClientError(outage, "AssumeRole")), NotSent)


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(botocore.exceptions).values() if isinstance(kind, type) and issubclass(kind, BotoCoreError)]
)
def test_every_error_of_botocore(kind):
    """Whatever botocore raises while it looks for credentials is one of two errors, and none is a lost answer."""
    error = kind.__new__(kind)
    Exception.__init__(error, "x")
    error.kwargs = {}
    found = credential_failure("dynamodb.GetItem", error)
    assert isinstance(found, (ConfigurationError, NotSent))
    assert not isinstance(found, AnswerLost)
