"""DynamoDB's typed values: {"S": "x"} and plain Python, both ways.

A row that other code wrote must be readable without harm: a type that sessions do not use stays as DynamoDB returns it.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from typing import Any

__all__ = ["from_attribute", "to_attribute"]


def to_attribute(value: Any) -> dict[str, Any]:
    """A str, bool, int, float, None, set of str, list or dict as an AttributeValue. Raises TypeError for other types."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case None:
            return {"NULL": True}
        case frozenset():
            return {"SS": sorted(value)}
        case list():
            return {"L": [to_attribute(item) for item in value]}
        case dict():
            return {"M": {name: to_attribute(item) for name, item in value.items()}}
    raise TypeError(f"session row: no DynamoDB type for {type(value).__name__}")


def from_attribute(attribute: dict[str, Any]) -> Any:
    """The plain value. Binary values and number sets stay as DynamoDB returns them."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return _number(value)
        case "NULL":
            return None
        case "SS":
            return frozenset(value)
        case "L":
            return [from_attribute(item) for item in value]
        case "M":
            return {name: from_attribute(item) for name, item in value.items()}
    return attribute


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() else number
