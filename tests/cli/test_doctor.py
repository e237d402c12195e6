"""`doctor` on the stack: a setup that is right, every part that is wrong, and what a live user pool does."""

from __future__ import annotations

import json
from itertools import count

import pytest

from cognito_session.aws.control_call import impossible_token
from cognito_session.aws.transport.interface import NotSent, ServiceError
from cognito_session.aws.transport.open import open_wire
from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError
from cognito_session.ops.app_client import Expected, check_app_client, grace_seconds
from cognito_session.ops.device_tracking import check_device_tracking
from cognito_session.ops.doctor import Doctor
from cognito_session.ops.probe import Probe
from cognito_session.settings import SETTINGS
from managed.scene import ring
from support.stack import PASSWORD, done, make_pool

ADDRESS = "https://app.example"
_numbers = count(1)
URLS = {"callback_urls": (f"{ADDRESS}/auth/callback",), "logout_urls": (f"{ADDRESS}/",)}
CLIENT = {
    "EnableTokenRevocation": True,
    "PreventUserExistenceErrors": "ENABLED",
    "RefreshTokenValidity": 30,
    "TokenValidityUnits": {"RefreshToken": "days"},
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid", "email"],
    "CallbackURLs": list(URLS["callback_urls"]),
    "LogoutURLs": list(URLS["logout_urls"]),
}
EXPECTED = Expected(None, 7, *URLS["callback_urls"], *URLS["logout_urls"])


def setup(stack, command, pool, table, **more):
    """An operator's environment: managed login, sealing keys, a table that the command made."""
    env = {
        **pool.environment(),
        "SESSION_TABLE": table,
        "SORT_KEY": "sid",
        "SESSION_KEYS": ring(1),
        "COGNITO_DOMAIN": stack.url,
        "APP_BASE_URL": ADDRESS,
        **more,
    }
    command("table", "create", env=env)
    stack.clear_calls()
    return env


@pytest.fixture
def right(stack, command):
    """A setup with nothing wrong, and the user pool it is on."""
    pool = make_pool(stack, rotation_grace_seconds=60, **URLS)
    return setup(stack, command, pool, "doctor-right")


def test_the_help_lists_every_setting(command):
    """`doctor --help` names each setting of the table."""
    shown = command("doctor", "--help").output
    assert [name for name in SETTINGS if f"  {name} " not in shown] == []


def test_a_setup_that_is_right(stack, command, right):
    """Every part is ok and has its notes; nothing is written and no user is signed in."""
    said = command("doctor", env=right).stdout
    for part in ("keys", "key set", "app client", "managed login", "table"):
        assert f"{part}: ok" in said
    assert "SessionPolicy(rotation_grace_seconds=60)" in said
    assert "device tracking: note: device tracking is off" in said
    assert not [line for line in said.splitlines() if "problem" in line or "difference" in line]
    assert set(done(stack)) <= {
        "DescribeUserPool",
        "DescribeUserPoolClient",
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
    }


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        ({"SESSION_KEYS": "1.short"}, "keys", "entry 1"),
        ({"SESSION_KEYS": "1." + "A" * 43}, "keys", "nothing but zeros"),
        ({"CLIENT_SECRET": "x" * 51}, "app client", "the app client has none"),
        ({"CLIENT_ID": "unknown"}, "app client", "no such app client"),
        ({"APP_BASE_URL": "https://other.example"}, "app client", "https://other.example/auth/callback is not among"),
        ({"APP_BASE_URL": ""}, "managed login", "APP_BASE_URL is not"),
        ({"SESSION_TABLE": "nowhere"}, "table", "there is no table nowhere"),
        ({"SORT_KEY": ""}, "table", "its sort key is sid; expected none"),
        ({"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://127.0.0.1:9"}, "key set", "could not be fetched"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_part_that_is_wrong(command, right, change, part, words):
    """A problem of its part, with its fix, exit status 1; the other parts are looked at all the same."""
    said = command("doctor", env=right | change, status=1).stdout
    assert [line for line in said.splitlines() if line.startswith(f"{part}: problem: ") and words in line]
    assert {line.partition(":")[0] for line in said.splitlines()} == {
        "keys",
        "key set",
        "app client",
        "device tracking",
        "managed login",
        "table",
    }
    assert "SESSION_KEYS" not in said or "1.short" not in said


@pytest.mark.parametrize(
    "call",
    [
        ("DescribeUserPoolClient", "app client"),
        ("DescribeTable", "table"),
        ("DescribeTimeToLive", "table"),
        ("DescribeContinuousBackups", "table"),
        ("GetSecretValue", "keys"),
    ],
)
@pytest.mark.parametrize(
    "code",
    ["UnrecognizedClientException", "KMSDisabledException", "NeverSeenException", "ThrottlingException", "RequestExpired"],
)
def test_a_call_that_is_refused_is_told_with_its_code(stack, command, right, call, code):
    """The line of the part has AWS's code and the request id; the other parts are looked at all the same."""
    operation, part = call
    secret = {"SESSION_KEYS": "", "SESSION_SECRET_ARN": "keys"} if operation == "GetSecretValue" else {}
    stack.refuse(operation, code, "Because.", times=None)
    said = command("doctor", env=right | secret, status=1).stdout
    (line,) = [line for line in said.splitlines() if line.startswith(f"{part}: problem: ")]
    assert code in line
    assert "request id" in line
    assert {line.partition(":")[0] for line in said.splitlines()} >= {"keys", "key set", "app client", "managed login", "table"}


def test_a_table_with_strong_consistency(stack, command, right):
    """Such a table is a problem, and the reason is said."""
    table = stack.create_table(f"doctor-{next(_numbers)}", sort_key="sid", strong_consistency=True)
    said = command("doctor", env=right | {"SESSION_TABLE": table}, status=1).stdout
    assert "table: problem: it is a global table with multi-Region strong consistency" in said


def test_what_the_configuration_lacks(command, right):
    """Without a user pool there is nothing to look at: one line that names the variable."""
    said = command("doctor", env={**right, "USER_POOL_ID": "", "COGNITO_USER_POOL_ID": ""}, status=1)
    assert "USER_POOL_ID is not set" in said.stderr


def test_other_settings_that_are_no_problem(command, right):
    """No keys is a difference, several keys and CSRF without managed login are notes, and a file needs no table."""
    said = command("doctor", env=right | {"SESSION_KEYS": "", "COGNITO_DOMAIN": ""}).stdout
    assert "keys: difference: there are no sealing keys" in said
    assert "SESSION_ACCEPT_UNSEALED_ROWS=true" in said
    assert "managed login: note: APP_BASE_URL is set" in said
    said = command("doctor", env=right | {"SESSION_KEYS": ring(2, 1), "SESSION_STORE": "sqlite:///x.db"}).stdout
    assert "keys: note: the first of 2 keys seals" in said


class Secret:
    """A wire on which Secrets Manager holds one text."""

    def __init__(self, text):
        self._text = text

    def call(self, service, operation, payload, **how):
        assert (operation, payload) == ("GetSecretValue", {"SecretId": "arn:x"})
        return {"SecretString": self._text}


@pytest.mark.parametrize(
    ("text", "level"),
    [(ring(1), None), (ring(3, 2), "note"), (json.dumps({"SESSION_KEYS": ring(1)}), None), ("{}", "problem"), ("x", "problem")],
    ids=["keys", "two", "json", "no member", "no keys"],
)
def test_the_secret_that_holds_the_keys(right, text, level):
    """Keys in Secrets Manager are read; a secret that cannot be used is said to be one."""
    names = Configuration.from_env({**right, "SESSION_KEYS": "", "SESSION_SECRET_ARN": "arn:x"})
    ((name, found),) = [next(Doctor(Secret(text), names, right).examine())]
    assert (name, [each.level for each in found]) == ("keys", [level] if level else [])


class Refusing:
    """A wire on which one operation fails."""

    operation = "DescribeUserPoolClient"

    def __init__(self, wire, error):
        self._wire, self._error = wire, error

    def call(self, service, operation, payload, **how):
        if operation == self.operation:
            raise self._error
        return self._wire.call(service, operation, payload, **how)

    def get(self, url, **how):
        return self._wire.get(url, **how)


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (ServiceError("X", "AccessDeniedException", 400), "difference", "could not be read (AccessDeniedException)"),
        (ServiceError("X", "InternalErrorException", 500), "problem", "InternalErrorException"),
        (NotSent("X: connection refused"), "problem", "connection refused"),
    ],
)
def test_a_client_that_cannot_be_read(right, error, level, words):
    """Where the role may not look it is said what to allow; an outage is a problem of that part alone."""
    found = dict(Doctor(Refusing(open_wire(environ=right), error), Configuration.from_env(right), right).examine())
    (finding,) = found["app client"]
    assert (finding.level, words in finding.what) == (level, True)
    assert [name for name, findings in found.items() if any(each.level == "problem" for each in findings)] == (
        ["app client"] if level == "problem" else []
    )


# --- the app client's settings, one by one


@pytest.mark.parametrize(
    ("change", "expected", "level", "words"),
    [
        ({"EnableTokenRevocation": False}, {}, "problem", "no origin_jti"),
        ({}, {"client_secret": "s"}, "problem", "the app client has none"),
        ({"ClientSecret": "s"}, {}, "problem", "CLIENT_SECRET is not set"),
        ({"ClientSecret": "s"}, {"client_secret": "\u00fc"}, "problem", "not the app client's secret"),
        ({"RefreshTokenRotation": {"Feature": "ENABLED"}}, {}, "difference", "grace of 0 seconds"),
        (
            {"RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 59}},
            {},
            "difference",
            "grace of 59 seconds",
        ),
        ({"RefreshTokenValidity": 6}, {}, "difference", "live for 6 days, sessions for 7"),
        (
            {"RefreshTokenValidity": 90, "TokenValidityUnits": {"RefreshToken": "minutes"}},
            {},
            "difference",
            "0.0625 days",
        ),
        ({"PreventUserExistenceErrors": "LEGACY"}, {}, "difference", "who has an account"),
        ({"AllowedOAuthFlowsUserPoolClient": False}, {}, "problem", "authorization code grant"),
        ({"AllowedOAuthFlows": []}, {}, "problem", "authorization code grant"),
        ({"AllowedOAuthFlows": ["code", "implicit"]}, {}, "difference", "implicit"),
        ({"AllowedOAuthScopes": ["email"]}, {}, "problem", "openid"),
        ({"CallbackURLs": [f"{ADDRESS}/auth/callback/"]}, {}, "problem", "CallbackURLs"),
        ({"LogoutURLs": []}, {}, "problem", "LogoutURLs"),
    ],
)
def test_a_setting_of_the_app_client(change, expected, level, words):
    """Each is found by itself, with a fix, and without anything secret."""
    assert {each.level for each in check_app_client(CLIENT, EXPECTED)} <= {"note"}
    found = [each for each in check_app_client(CLIENT | change, EXPECTED._replace(**expected)) if each.level != "note"]
    ((finding),) = found
    assert (finding.level, words in finding.what, bool(finding.fix)) == (level, True, True)


def test_settings_that_are_fine():
    """Defaults of Cognito's that it leaves out, the same secret, an application without managed login, a whole grace."""
    bare = {"EnableTokenRevocation": True, "PreventUserExistenceErrors": "ENABLED", "ClientSecret": "s"}
    assert check_app_client(bare, Expected("s", 30)) == []
    assert "s3cret" not in repr(Expected("s3cret", 7))
    rotating = CLIENT | {"ClientSecret": "s", "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 60}}
    assert [each.level for each in check_app_client(rotating, EXPECTED._replace(client_secret="s"))] == ["note"]
    assert (grace_seconds(rotating), grace_seconds(CLIENT)) == (60, None)
    assert grace_seconds({"RefreshTokenRotation": {"Feature": "DISABLED", "RetryGracePeriodSeconds": 60}}) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "has no secret"),
        ({"ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"]}, "allows ALLOW_USER_PASSWORD_AUTH"),
        ({"ExplicitAuthFlows": ["USER_PASSWORD_AUTH"]}, "allows USER_PASSWORD_AUTH"),
        ({"ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_USER_SRP_AUTH"]}, "ALLOW_CUSTOM_AUTH, ALLOW_USER_SRP_AUTH"),
        ({"ExplicitAuthFlows": ["ADMIN_NO_SRP_AUTH"]}, "ADMIN_NO_SRP_AUTH"),
    ],
)
def test_more_than_the_library_needs_is_a_note(change, words):
    """A client without a secret, and flows that managed login does not need, are told and are no problem."""
    found = check_app_client(CLIENT | change, EXPECTED)
    assert [each.level for each in found if words in each.what] == ["note"]
    assert all(each.fix for each in found)


def test_an_app_client_with_a_secret_and_no_password_flow_is_fine():
    """Nothing is noted where the client has what the library needs and no more."""
    least = CLIENT | {"ClientSecret": "s", "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_AUTH"]}
    assert check_app_client(least, EXPECTED._replace(client_secret="s")) == []


# --- live


def probe(stack, pool, **changes):
    """What a probe of this pool finds out; its waiting turns the stack's clock."""
    user = stack.create_user(pool, f"probed-{next(_numbers)}", PASSWORD)
    names = Configuration.from_env({**pool.environment(), "SESSION_TABLE": "none"} | changes)
    wire = open_wire(environ=pool.environment())
    asked = Probe(wire, names, grace_seconds=pool.rotation_grace_seconds, clock=stack.clock, sleep=stack.advance)
    return asked, user.username


READINGS = [
    ({"semantics": "A"}, "another token, and the first one stays valid"),
    ({"semantics": "B"}, "another token, and the first one is dead"),
    ({"semantics": "C"}, "brings the same new token"),
    ({"reuse_kills_family": True}, "ends the newest token too"),
    ({"reuse_kills_family": False}, "ends nothing else"),
    ({"origin_jti_changes": True}, "origin_jti changes at a refresh"),
    ({"origin_jti_changes": False}, "origin_jti survives a refresh"),
]


@pytest.mark.parametrize(("rules", "words"), READINGS, ids=str)
def test_every_reading_of_rotation_is_told_apart(stack, rules, words):
    """Whatever a user pool does with a grace of 60 seconds: it is said, it is no problem, and every sign-in is revoked."""
    pool = make_pool(stack, rotation_grace_seconds=60)
    stack.set_rules(**rules)
    stack.clear_calls()
    asked, username = probe(stack, pool)
    found = list(asked.ask(username, PASSWORD))
    assert {finding.level for finding in found} == {"note"}
    assert [finding for finding in found if words in finding.what]
    calls = done(stack)
    assert calls.count("RevokeToken") >= calls.count("InitiateAuth") == 4


def test_without_rotation(stack):
    """The same token again and again; a revoked one is refused in words that the library knows."""
    asked, username = probe(stack, make_pool(stack))
    said = "\n".join(str(finding) for finding in asked.ask(username, PASSWORD))
    assert "a refresh brings no new refresh token" in said
    assert "a refresh token stays usable, used or not" in said
    assert "a revoked token is refused with NotAuthorizedException" in said
    assert "a token that does not exist is refused with NotAuthorizedException: Invalid Refresh Token" in said
    assert "problem" not in said
    assert "difference" not in said


def test_a_confidential_client(stack):
    """A wrong secret is recognized and ends no session."""
    asked, username = probe(stack, make_pool(stack, client_secret=True))
    said = "\n".join(str(finding) for finding in asked.ask(username, PASSWORD))
    assert "a wrong client secret is refused with" in said
    assert "note: with a wrong client secret a token that does not exist is refused with the same message" in said
    assert "note: a wrong client secret does not end the session" in said
    assert "difference" not in said


@pytest.fixture
def worded(stack):
    """Sets the sentences of refusals; the usual ones are back afterwards."""
    yield stack.set_rules
    stack.set_rules(words={})


def test_words_that_the_library_does_not_know(stack, worded):
    """A refusal that only a control call tells is a difference to be reported; it is taken for what it is."""
    asked, username = probe(stack, make_pool(stack))
    worded(words={"revoked": "This token was withdrawn"})
    found = list(asked.ask(username, PASSWORD))
    (finding,) = [finding for finding in found if finding.level == "difference"]
    assert "This token was withdrawn" in finding.what
    assert "takes for dead by a control call" in finding.what


def test_words_that_refuse_every_token(stack, worded):
    """Where a dead token is refused like one that does not exist, the library takes it for the operator's fault: told."""
    asked, username = probe(stack, make_pool(stack))
    worded(words={"revoked": "No", "unknown": "No"})
    found = [finding for finding in asked.ask(username, PASSWORD) if finding.level == "difference"]
    assert ["takes for misconfigured" in finding.what for finding in found] == [True, True]


def test_a_secret_that_is_checked_after_the_token(stack):
    """A user pool that refuses a token which does not exist before it looks at the secret: the experiment cannot tell."""

    class TokenFirst:
        def __init__(self, wire):
            self.wire = wire

        def call(self, service, operation, payload, **how):
            token = payload.get("RefreshToken", "")
            if operation == "GetTokensFromRefreshToken" and token == impossible_token(token):
                raise ServiceError("cognito-idp.X", "NotAuthorizedException", 400, message="Invalid Refresh Token")
            return self.wire.call(service, operation, payload, **how)

    asked, username = probe(stack, make_pool(stack, client_secret=True))
    asked._wire._wire = TokenFirst(asked._wire._wire)
    found = [finding for finding in asked.ask(username, PASSWORD) if finding.level == "difference"]
    assert ["another message" in finding.what for finding in found] == [True]


def test_a_grace_that_does_not_end(stack):
    """A used token that is usable after its grace is a problem: the clock of the pool was not believed."""
    pool = make_pool(stack, rotation_grace_seconds=60)
    asked, username = probe(stack, pool)
    asked._sleep = lambda seconds: None
    found = [finding for finding in asked.ask(username, PASSWORD) if finding.level == "problem"]
    assert ["still usable 3 s after its grace" in finding.what for finding in found] == [True]


def test_a_user_who_cannot_be_signed_in(stack):
    """Wrong password or a second factor: said plainly, without the password."""
    asked, username = probe(stack, make_pool(stack))
    with pytest.raises(ConfigurationError, match="cannot be signed in") as caught:
        list(asked.ask(username, "Wrong-password-1"))
    assert "Wrong-password-1" not in str(caught.value)


def test_live_on_the_command_line(stack, command, right):
    """The command asks the user pool too, with a password that no output holds; without a user it says what it needs."""
    pool = make_pool(stack, **URLS)
    env = right | pool.environment() | {"COGNITO_SESSION_PROBE_PASSWORD": PASSWORD}
    user = stack.create_user(pool, "prober", PASSWORD)
    result = command("doctor", "--live", "--username", user.username, env=env)
    assert "user pool: note: origin_jti survives a refresh" in result.stdout
    assert PASSWORD not in result.output
    assert "--username" in command("doctor", "--live", env=env, status=2).stderr


# --- device tracking


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (None, "device tracking is off"),
        ({}, "every device is remembered"),
        ({"ChallengeRequiredOnNewDevice": True}, "replaces the second factor"),
        ({"DeviceOnlyRememberedOnUserPrompt": True}, "when the user agrees"),
    ],
)
def test_what_device_tracking_is_set_to(devices, words):
    """Each setting of the user pool is said in words, as a note."""
    (found,) = check_device_tracking({"DeviceConfiguration": devices}, CLIENT, managed_login=False, seals=True)
    assert (found.level, words in found.what) == ("note", True)


def test_a_scope_that_managed_login_needs_for_devices():
    """With managed login, an app client without the scope is a problem; with it, or where it is not known, it is not."""
    pool, scope = {"DeviceConfiguration": {}}, "aws.cognito.signin.user.admin"
    with_scope = {**CLIENT, "AllowedOAuthScopes": ["openid", scope]}
    levels = [
        [found.level for found in check_device_tracking(pool, client, managed_login=True, seals=True)]
        for client in (CLIENT, with_scope, None)
    ]
    assert levels == [["note", "problem"], ["note", "note"], ["note", "note"]]
    found = check_device_tracking(pool, CLIENT, managed_login=False, seals=False)
    assert [each.level for each in found] == ["note", "difference"]


def test_a_pool_that_cannot_be_read(right):
    """Without the right to describe the user pool, the line names the permission that is missing."""
    wire = Refusing(open_wire(environ=right), ServiceError("DescribeUserPool", "AccessDeniedException", 400))
    wire.operation = "DescribeUserPool"
    doctor = Doctor(wire, Configuration.from_env(right), right)
    (found,) = dict(doctor.examine())["device tracking"]
    assert (found.level, "cognito-idp:DescribeUserPool on" in found.fix) == ("difference", True)


def test_live_with_device_tracking(stack):
    """The probe confirms its devices, so that a user pool that tracks them answers as any other, and forgets them."""
    asked, username = probe(stack, make_pool(stack, device_tracking=True))
    stack.clear_calls()
    assert {finding.level for finding in asked.ask(username, PASSWORD)} == {"note"}
    calls = done(stack)
    assert calls.count("ConfirmDevice") == calls.count("InitiateAuth")
    assert "ForgetDevice" in calls
