"""The user pool's public operations, which sign-up and sign-in forms call, answered by a FakePool.

Every mailed, texted or generated code is `CODE`; any other code is wrong. A wrong password and an unknown user get the same
refusal, as with PreventUserExistenceErrors. Unsupported operations raise NotImplementedError.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.protocol.ports import PoolRefusal
from cognito_session.core.secret import plain
from cognito_session.testing.pool_state import PoolUser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cognito_session.testing.fake_pool import FakePool

__all__ = ["CODE", "PoolOperations"]

CODE: Final = "123456"
"""The code that confirms a sign-up, a new password or a second factor."""

_SHORTEST_PASSWORD: Final = 8
_CODE_OF: Final = {
    "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE",
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
}
_NEW_PASSWORD: Final = "NEW_PASSWORD_REQUIRED"
_NOT_THESE: Final = PoolRefusal("NotAuthorizedException", "Incorrect username or password.")
_WRONG_CODE: Final = PoolRefusal("CodeMismatchException", "Invalid verification code provided, please try again.")
_DELIVERY: Final = {"CodeDeliveryDetails": {"AttributeName": "email", "DeliveryMedium": "EMAIL", "Destination": "a***@e***"}}

Answer = dict[str, Any] | PoolRefusal


class PoolOperations:
    """A UserPool port over a FakePool."""

    def __init__(self, pool: FakePool) -> None:
        self._pool = pool
        self._operations: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "SignUp": self._sign_up,
            "ConfirmSignUp": self._confirm_sign_up,
            "ResendConfirmationCode": lambda _: dict(_DELIVERY),
            "InitiateAuth": self._initiate_auth,
            "RespondToAuthChallenge": self._respond,
            "ForgotPassword": lambda _: dict(_DELIVERY),
            "ConfirmForgotPassword": self._confirm_forgot_password,
            "ChangePassword": self._change_password,
        }

    @property
    def client_id(self) -> str:
        """The app client's id."""
        return self._pool.client_id

    def call(self, operation: str, payload: Mapping[str, Any]) -> Answer:
        """The operation's response, or the pool's refusal. Raises NotImplementedError for an unsupported operation."""
        work = self._operations.get(operation)
        if work is None:
            raise NotImplementedError(f"the test pool does not support {operation}: use the local stack or a real pool")
        with self._pool.lock:
            return work(plain(payload))

    def _sign_up(self, payload: Mapping[str, Any]) -> Answer:
        username, password = str(payload["Username"]), str(payload["Password"])
        if username in self._pool.state.users:
            return PoolRefusal("UsernameExistsException", "User already exists")
        if len(password) < _SHORTEST_PASSWORD:
            return PoolRefusal("InvalidPasswordException", "Password did not conform with policy: Password not long enough")
        account = self._pool.add(username, password=password, confirmed=False)
        account.attributes |= {str(each["Name"]): str(each["Value"]) for each in payload.get("UserAttributes") or ()}
        return {"UserConfirmed": False, "UserSub": account.sub, **_DELIVERY}

    def _confirm_sign_up(self, payload: Mapping[str, Any]) -> Answer:
        account = self._account(payload["Username"])
        if account is None or payload.get("ConfirmationCode") != CODE:
            return _WRONG_CODE
        account.confirmed = True
        return {}

    def _confirm_forgot_password(self, payload: Mapping[str, Any]) -> Answer:
        account = self._account(payload["Username"])
        if account is None or payload.get("ConfirmationCode") != CODE:
            return _WRONG_CODE
        account.password = str(payload["Password"])
        return {}

    def _change_password(self, payload: Mapping[str, Any]) -> Answer:
        account = self._bearer(payload)
        if account is None or not _same(account.password, payload.get("PreviousPassword")):
            return _NOT_THESE
        account.password = str(payload["ProposedPassword"])
        return {}

    def _initiate_auth(self, payload: Mapping[str, Any]) -> Answer:
        flow, given = payload.get("AuthFlow"), payload.get("AuthParameters") or {}
        if flow == "REFRESH_TOKEN_AUTH":
            answer = self._pool.refresh(str(given.get("REFRESH_TOKEN")), given.get("DEVICE_KEY"))
            return answer if isinstance(answer, PoolRefusal) else {"AuthenticationResult": answer}
        if flow != "USER_PASSWORD_AUTH":
            raise NotImplementedError(f"the test pool does not support the flow {flow}: use the local stack or a real pool")
        account = self._account(given.get("USERNAME"))
        if account is None or not _same(account.password, given.get("PASSWORD")):
            return _NOT_THESE
        if not account.enabled:
            return PoolRefusal("NotAuthorizedException", "User is disabled.")
        if not account.confirmed:
            return PoolRefusal("UserNotConfirmedException", "User is not confirmed.")
        if account.must_change_password:
            return self._challenge(account, _NEW_PASSWORD)
        return self._after_password(account)

    def _after_password(self, account: PoolUser) -> Answer:
        return self._signed_in(account) if account.mfa is None else self._challenge(account, account.mfa)

    def _challenge(self, account: PoolUser, name: str) -> Answer:
        session = self._pool.entropy(24).hex()
        self._pool.state.challenges[session] = f"{name} {account.username}"
        parameters = {"USER_ID_FOR_SRP": account.username}
        if name == _NEW_PASSWORD:
            parameters |= {"requiredAttributes": "[]", "userAttributes": "{}"}
        elif name in ("SMS_MFA", "EMAIL_OTP"):
            parameters |= {
                "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS" if name == "SMS_MFA" else "EMAIL",
                "CODE_DELIVERY_DESTINATION": "a***@e***",
            }
        return {"ChallengeName": name, "Session": session, "ChallengeParameters": parameters}

    def _respond(self, payload: Mapping[str, Any]) -> Answer:
        """RespondToAuthChallenge. A session works once; a wrong code does not use it."""
        session, given = str(payload.get("Session")), payload.get("ChallengeResponses") or {}
        name, _, username = self._pool.state.challenges.get(session, "").partition(" ")
        account = self._account(username)
        if account is None or name != payload.get("ChallengeName") or given.get("USERNAME", username) != username:
            return PoolRefusal("NotAuthorizedException", "Invalid session for the user.")
        if name == _NEW_PASSWORD:
            if len(str(given.get("NEW_PASSWORD", ""))) < _SHORTEST_PASSWORD:
                return PoolRefusal("InvalidPasswordException", "Password did not conform with policy: Password not long enough")
            account.password, account.must_change_password = str(given["NEW_PASSWORD"]), False
        elif given.get(_CODE_OF.get(name, "ANSWER")) != CODE:
            return _WRONG_CODE
        del self._pool.state.challenges[session]
        return self._after_password(account) if name == _NEW_PASSWORD else self._signed_in(account)

    def _signed_in(self, account: PoolUser) -> Answer:
        return {"AuthenticationResult": self._pool.sign_in(account.username), "ChallengeParameters": {}}

    def _account(self, username: object) -> PoolUser | None:
        return self._pool.state.users.get(username) if isinstance(username, str) else None

    def _bearer(self, payload: Mapping[str, Any]) -> PoolUser | None:
        """The user of the payload's access token."""
        return self._pool.bearer(str(payload.get("AccessToken")))


def _same(password: str, given: object) -> bool:
    return isinstance(given, str) and hmac.compare_digest(password.encode(), given.encode())
