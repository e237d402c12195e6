"""The signing keys of each pool: the current ones and, after a rotation, the retired ones that the key set still contains.

ministack asks for a key by pool and use ("access" or "id"). A retired key has a use of its own, so that the key set lists it.
"""

from collections.abc import Callable
from typing import Any

__all__ = ["SigningKeys"]

_USES = ("access", "id")
_RETIRED = "retired "
_Key = tuple[Any, Any]


class SigningKeys:
    """The keys of all pools. `new_key` is ministack's own: the current key of a pool and a use, created if there is none."""

    uses_after_rotation: tuple[str, ...] = (*_USES, *(_RETIRED + use for use in _USES))

    def __init__(self, new_key: Callable[[str, str], _Key]) -> None:
        self._new_key = new_key
        self._retired: dict[tuple[str, str], _Key] = {}

    def key(self, pool_id: str, use: str) -> _Key:
        """The key of a pool for a use; (None, None) if there is no retired key."""
        if use.startswith(_RETIRED):
            return self._retired.get((pool_id, use), (None, None))
        return self._new_key(pool_id, use)

    def retire(self, pool_id: str) -> None:
        """Keep the current keys as retired ones, before ministack drops them."""
        for use in _USES:
            self._retired[pool_id, _RETIRED + use] = self._new_key(pool_id, use)

    def withdraw(self, pool_id: str) -> None:
        """Remove the retired keys from the key set: tokens that they signed no longer verify."""
        for use in _USES:
            self._retired.pop((pool_id, _RETIRED + use), None)
