"""A Session as the answer of a route whose framework describes answers by pydantic: its facts, and never its tokens."""

from __future__ import annotations

from typing import Any

from cognito_session.core.protocol.session import Session

__all__ = ["teach_pydantic"]


def teach_pydantic() -> None:
    """Let pydantic take a Session as it is and write Session.facts(); OpenAPI gets the same names.

    https://docs.pydantic.dev/latest/concepts/types/#customizing-validation-with-__get_pydantic_core_schema__
    """
    Session.__get_pydantic_core_schema__ = staticmethod(_schema)  # type: ignore[attr-defined]


def _schema(_source: Any, _handler: Any) -> Any:
    from pydantic_core import core_schema as to

    text, instant, texts = to.str_schema(), to.int_schema(), to.list_schema(to.str_schema())
    types = {
        "sub": text,
        "sid": text,
        "username": text,
        "groups": texts,
        "scopes": texts,
        "auth_time": to.nullable_schema(instant),
        "token_expires_at": instant,
        "session_expires_at": to.nullable_schema(instant),
    }
    facts = to.typed_dict_schema({name: to.typed_dict_field(kind) for name, kind in types.items()}, cls_name="Session")
    writes = to.plain_serializer_function_ser_schema(_facts, return_schema=facts)
    return to.is_instance_schema(Session, serialization=writes)


def _facts(session: Session) -> dict[str, Any]:
    return session.facts()
