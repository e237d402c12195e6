"""The AWS operations that the library calls while it runs, and the IAM policy that allows exactly those.

CALLS is the only list; a test compares it with the source and with a recorded run. Must not know tables or the command line.
Cognito's operations marked "public" are unsigned, so IAM does not govern them.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.partition import arn

__all__ = ["CALLS", "TRANSACTION_PARTS", "Call", "Place", "policy"]


class Call(NamedTuple):
    """One operation. `need` is its reason: rows, the secret, signing out everywhere; "public" needs no permission."""

    service: str
    operation: str
    need: Literal["rows", "secret", "everywhere", "public"]


CALLS: Final = (
    Call("dynamodb", "GetItem", "rows"),
    Call("dynamodb", "PutItem", "rows"),
    Call("dynamodb", "Query", "rows"),
    Call("dynamodb", "TransactWriteItems", "rows"),
    Call("dynamodb", "UpdateItem", "rows"),
    Call("secretsmanager", "GetSecretValue", "secret"),
    Call("cognito-idp", "AdminUserGlobalSignOut", "everywhere"),
    Call("cognito-idp", "AssociateSoftwareToken", "public"),
    Call("cognito-idp", "ChangePassword", "public"),
    Call("cognito-idp", "CompleteWebAuthnRegistration", "public"),
    Call("cognito-idp", "ConfirmDevice", "public"),
    Call("cognito-idp", "ConfirmForgotPassword", "public"),
    Call("cognito-idp", "ConfirmSignUp", "public"),
    Call("cognito-idp", "ForgetDevice", "public"),
    Call("cognito-idp", "ForgotPassword", "public"),
    Call("cognito-idp", "GetTokensFromRefreshToken", "public"),
    Call("cognito-idp", "InitiateAuth", "public"),
    Call("cognito-idp", "ResendConfirmationCode", "public"),
    Call("cognito-idp", "RespondToAuthChallenge", "public"),
    Call("cognito-idp", "RevokeToken", "public"),
    Call("cognito-idp", "SetUserMFAPreference", "public"),
    Call("cognito-idp", "SignUp", "public"),
    Call("cognito-idp", "StartWebAuthnRegistration", "public"),
    Call("cognito-idp", "UpdateDeviceStatus", "public"),
    Call("cognito-idp", "VerifySoftwareToken", "public"),
)

TRANSACTION_PARTS: Final = {"ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem"}
"""TransactWriteItems is not an IAM action: each kind of part needs its own.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
"""


class Place(NamedTuple):
    """The region and account in ARNs."""

    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource; one that is already an ARN stays as it is."""
        if resource.startswith("arn:"):
            return resource
        return arn(service, self.region, self.account, resource)

    @classmethod
    def of_arn(cls, arn: str) -> Place:
        """Region and account of an ARN. Raises ConfigurationError."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":  # noqa: PLR2004 - arn:partition:service:region:account:resource
            raise ConfigurationError(
                "SESSION_TABLE: expected a table name or an ARN like arn:PARTITION:dynamodb:REGION:ACCOUNT:table/NAME"
            )
        return cls(parts[3], parts[4])


def policy(*, table_arn: str, secret_arn: str | None = None, pool_arn: str | None = None) -> dict[str, Any]:
    """The policy document. `secret_arn` also allows reading the secret, `pool_arn` signing out everywhere."""
    wanted = (
        ("rows", "SessionRows", table_arn),
        ("secret", "SessionKeys", secret_arn),
        ("everywhere", "SignOutEverywhere", pool_arn),
    )
    statements = [
        {"Sid": sid, "Effect": "Allow", "Action": _actions(need), "Resource": resource}
        for need, sid, resource in wanted
        if resource is not None
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _actions(need: str) -> list[str]:
    found: set[str] = set()
    for call in CALLS:
        if call.need == need:
            parts = TRANSACTION_PARTS.values() if call.operation == "TransactWriteItems" else (call.operation,)
            found.update(f"{call.service}:{part}" for part in parts)
    return sorted(found)
