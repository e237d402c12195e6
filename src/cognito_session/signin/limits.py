"""What people type, checked for size and alphabet before any of it leaves: a 100 kB password is never sent anywhere.

The limits are Cognito's own where it has some (API_InitiateAuth, API_SignUp, API_ConfirmSignUp). Whatever a form may hand
over is taken, None and lists among it, and refused without an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from cognito_session.core.crypto.encoding import NotJson, is_unicode, read_json
from cognito_session.core.secret import Secret, plain

__all__ = ["code_of", "credential_of", "is_attributes", "is_username", "password_of"]

_MAX_USERNAME_CHARS: Final = 128
_MAX_PASSWORD_CHARS: Final = 256
_MAX_ATTRIBUTES: Final = 100
_MAX_ATTRIBUTE_NAME_CHARS: Final = 32
_MAX_ATTRIBUTE_CHARS: Final = 2048
_MAX_CREDENTIAL_CHARS: Final = 16_384
_MAX_TYPED_CODE_CHARS: Final = 32
_CODE: Final = re.compile(r"[0-9]{1,8}")


def is_username(value: object) -> TypeGuard[str]:
    """1 to 128 characters that can be seen: letters, marks, symbols, numbers, punctuation, no space."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_USERNAME_CHARS and value.isprintable() and " " not in value


def password_of(value: object) -> Secret[str] | None:
    """The password: 1 to 256 characters that UTF-8 can spell; None for anything else."""
    value = plain(value)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_PASSWORD_CHARS or not is_unicode(value):
        return None
    return Secret(value)


def code_of(value: object) -> Secret[str] | None:
    """The 1 to 8 digits of a code, without the spaces that people copy along; None for anything else."""
    value = plain(value)
    if not isinstance(value, str) or len(value) > _MAX_TYPED_CODE_CHARS:
        return None
    code = "".join(value.split())
    return Secret(code) if _CODE.fullmatch(code) else None


def is_attributes(value: object) -> TypeGuard[Mapping[str, str]]:
    """A mapping of names of up to 32 visible characters to texts of up to 2,048."""
    return isinstance(value, Mapping) and len(value) <= _MAX_ATTRIBUTES and all(map(_is_attribute, value.items()))


def _is_attribute(pair: tuple[object, object]) -> bool:
    name, value = pair
    named = is_username(name) and len(name) <= _MAX_ATTRIBUTE_NAME_CHARS
    return named and isinstance(value, str) and len(value) <= _MAX_ATTRIBUTE_CHARS and is_unicode(value)


def credential_of(value: object) -> Secret[dict[str, Any]] | None:
    """The JSON object that a browser made of a passkey's answer (WebAuthn 3, 5.1.8), out of its text; None for all else."""
    value = plain(value)
    if not isinstance(value, str) or len(value) > _MAX_CREDENTIAL_CHARS or not is_unicode(value):
        return None
    try:
        parsed = read_json(value)
    except NotJson:
        return None
    return Secret(parsed) if isinstance(parsed, dict) else None
