"""botocore's SigV4 signer, by a clock that differs from the machine's.

It signs as the class that it extends does, from a time of its own; botocore offers no way to give it one.
"""

from __future__ import annotations

from typing import Any

from botocore.auth import SigV4Auth
from botocore.exceptions import NoCredentialsError

from cognito_session.aws.transport.server_clock import amz_date

__all__ = ["ShiftedAuth"]


class ShiftedAuth(SigV4Auth):  # type: ignore[misc] # botocore has no types
    """Signs by a clock that is `ahead_seconds` ahead of this machine's."""

    def __init__(self, credentials: Any, service_name: str, region_name: str, ahead_seconds: float) -> None:
        super().__init__(credentials, service_name, region_name)
        self._ahead_seconds = ahead_seconds

    def add_auth(self, request: Any) -> None:
        """Put the signature's headers on the request."""
        if self.credentials is None:
            raise NoCredentialsError
        request.context["timestamp"] = amz_date(self._ahead_seconds)
        self._modify_request_before_signing(request)
        string_to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(string_to_sign, request))
