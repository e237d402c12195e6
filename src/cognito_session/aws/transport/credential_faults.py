"""Failures while botocore resolves or renews AWS credentials: the source at fault, and what to do.

Rule: a request without credentials never left, so no failure here is an AnswerLost. If a source does not answer, it is
NotSent (a later try may succeed). Every other failure is a ConfigurationError that names the source. Messages quote neither
a program's output nor an endpoint's answer, which may hold credentials. They keep STS's sentence.
"""

from __future__ import annotations

import re
from typing import Any, Final

import botocore.exceptions as faults

from cognito_session.aws.transport.interface import NotSent, WireError, one_line
from cognito_session.core.errors import ConfigurationError

__all__ = ["credential_failure"]

_SERVER_ERROR: Final = 500
_THROTTLED: Final = 429
_NO_ANSWER: Final = frozenset(
    {
        "IDPCommunicationError",  # STS could not reach the identity provider: AWS says to retry
        "InternalFailure",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDownException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes of STS and IAM Identity Center for which a later try may succeed.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

_WEB_IDENTITY: Final = "the web identity role (AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE)"
_SSO: Final = "IAM Identity Center (SSO)"
_BY_OPERATION: Final = {
    "AssumeRoleWithWebIdentity": _WEB_IDENTITY,
    "AssumeRole": "the role of the AWS profile (role_arn)",
    "GetRoleCredentials": _SSO,
    "CreateToken": _SSO,
}
_BY_PROVIDER: Final = {
    "custom-process": "the credential_process of the AWS profile",
    "container-role": "the container's credentials endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI)",
    "iam-role": "the EC2 instance metadata service",
    "assume-role": _BY_OPERATION["AssumeRole"],
    "assume-role-with-web-identity": _WEB_IDENTITY,
    "sso": _SSO,
}
_REACHED_BY_NETWORK: Final = frozenset({"container-role", "iam-role"})
_ADVICE: Final = {
    _WEB_IDENTITY: "check the role's trust policy, the IAM identity provider, and that the token file is a current token",
    _BY_OPERATION["AssumeRole"]: "check the role's trust policy and that the source credentials may call sts:AssumeRole",
    _SSO: "run `aws sso login` for the profile, and check that the permission set is assigned",
    _BY_PROVIDER["custom-process"]: "run the command by hand: expected exit status 0 and JSON with Version 1",
    _BY_PROVIDER["container-role"]: "check the task role, and AWS_CONTAINER_AUTHORIZATION_TOKEN or its _FILE",
}
_FROM_BOTOCORE: Final[tuple[tuple[type[Exception], str, str], ...]] = (
    (
        faults.NoCredentialsError,
        "none found",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a profile (AWS_PROFILE), or give the machine a role",
    ),
    (EOFError, "the profile asks for an MFA code", "a server cannot enter one: use a role without mfa_serial"),
    (faults.SSOError, _SSO, "run `aws sso login` for the profile"),
    (faults.TokenRetrievalError, _SSO, "run `aws sso login` for the profile"),
    (faults.InvalidIMDSEndpointError, _BY_PROVIDER["iam-role"], "check AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    (faults.ParamValidationError, _WEB_IDENTITY, "the role's ARN, its session name or the token in the file is malformed"),
)
_NETWORK: Final = (faults.HTTPClientError, faults.ConnectionError, faults.MetadataRetrievalError)
_TIME_WORDS: Final = ("signature expired", "signature not yet current")
_CLOCK: Final = "this machine's clock differs from AWS's by minutes: synchronize it (NTP)"
_EXPIRED: Final = "still expired"
"""What botocore's error says if a source gives expired credentials."""
_UNREADABLE: Final = (ValueError, TypeError, AttributeError, LookupError)
"""What botocore raises for an answer that is not a JSON object, and for a host that it refuses to ask."""
_HARMLESS: Final = (
    faults.PartialCredentialsError,
    faults.ProfileNotFound,
    faults.ConfigNotFound,
    faults.ConfigParseError,
    faults.InvalidConfigError,
    faults.UnknownCredentialError,
    faults.InfiniteLoopConfigError,
    faults.NoRegionError,
    faults.InvalidRegionError,
)
"""Errors about variables and files. Their texts name a setting and hold no value."""


def credential_failure(name: str, error: Exception) -> ConfigurationError | WireError:
    """Translate `error`, which was raised while credentials for the call `name` were resolved or renewed.

    Returns NotSent if the source did not answer, else a ConfigurationError that names the source. Returns errors of the wire
    and ConfigurationErrors unchanged.
    """
    if isinstance(error, (WireError, ConfigurationError)):
        return error
    if isinstance(error, faults.ClientError):
        return _refused(name, error)
    if isinstance(error, faults.CredentialRetrievalError):
        return _not_retrieved(name, error)
    for kind, source, advice in _FROM_BOTOCORE:
        if isinstance(error, kind):
            return _set_up(name, source, advice)
    if isinstance(error, _HARMLESS):
        return _set_up(name, one_line(str(error)), "check the AWS credentials, profile and region")
    if isinstance(error, OSError) and error.filename:
        return _set_up(name, f"{error.filename}: {error.strerror}", "expected a readable file (or program)")
    if isinstance(error, _UNREADABLE):
        return _set_up(name, f"a source that cannot be read ({type(error).__name__})", "check the profile and its variables")
    if isinstance(error, faults.BotoCoreError) and not isinstance(error, _NETWORK):
        return _set_up(name, f"botocore {type(error).__name__}", "check the AWS credentials and profile")
    return NotSent(f"{name}: not sent: {_unexplained(error)}")


def _unexplained(error: Exception) -> str:
    if isinstance(error, RuntimeError) and _EXPIRED in str(error).lower():
        return "AWS credentials had expired when they were read: renew them, and check the clock"
    return f"no AWS credentials ({type(error).__name__})"


def _refused(name: str, error: Any) -> ConfigurationError | NotSent:
    """A refusal by STS or IAM Identity Center, whose error answers hold no credentials."""
    details, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(details.get("Code", "")), int(meta.get("HTTPStatusCode", 0))
    source = _BY_OPERATION.get(error.operation_name, error.operation_name)
    if status >= _SERVER_ERROR or status == _THROTTLED or code in _NO_ANSWER:
        return NotSent(f"{name}: not sent: no AWS credentials from {source} ({one_line(code)}, HTTP {status})")
    told = "".join(
        f"; {label}: {one_line(str(text))}"
        for label, text in (("AWS says", details.get("Message")), ("request id", meta.get("RequestId")))
        if text
    )
    late = code == "RequestExpired" or any(each in str(details.get("Message")).lower() for each in _TIME_WORDS)
    advice = _CLOCK if late else _ADVICE.get(source, "check the AWS credentials and profile")
    return _set_up(name, f"{source}, {error.operation_name} refused ({one_line(code)})", advice + told)


_STATUS: Final = re.compile(r"non 200 response (4\d\d) ")


def _not_retrieved(name: str, error: Any) -> ConfigurationError | NotSent:
    """A CredentialRetrievalError. Its text may hold a program's output or an endpoint's answer, so it is not quoted."""
    provider = str(error.kwargs.get("provider", ""))
    source = _BY_PROVIDER.get(provider, one_line(provider))
    status = _STATUS.search(str(error.kwargs.get("error_msg", "")))
    if status is not None and int(status[1]) != _THROTTLED:
        return _set_up(name, f"{source} answered HTTP {status[1]}", _ADVICE.get(source, "check the machine's role"))
    if provider in _REACHED_BY_NETWORK:
        return NotSent(f"{name}: not sent: no AWS credentials from {source}")
    return _set_up(name, source, _ADVICE.get(source, "check the AWS profile"))


def _set_up(name: str, source: str, advice: str) -> ConfigurationError:
    return ConfigurationError(f"{name}: not sent: AWS credentials: {source}: {advice}")
