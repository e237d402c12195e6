"""The drawing of states and transitions, made by the code's own writes: `python -m races.draw` prints docs/states.md.

Each write is built from a row in each state and applied to it; what it allows and where it leads is what is drawn.
"""

from __future__ import annotations

from itertools import groupby

from cognito_session.core.protocol.conditions import Clause
from cognito_session.core.protocol.record import Row
from races.sample_rows import MEANWHILE, STATES, WRITES, record

_NAMES = {"no row": "none", "suspect, old": "suspect", "lease lapsed": "leased"}


def state_of(row: Row | None) -> str:
    """The state a row is in."""
    if row is None:
        return "none"
    found = record(row)
    if found.foreign_token:
        return "foreign"
    if found.ended:
        return "ended"
    if found.suspect_at is not None:
        return "suspect"
    if found.lease_id is not None:
        return "leased"
    return "cooling" if found.retry_at is not None else "active"


def transitions() -> list[tuple[str, str, str]]:
    """(from, write, to), each once."""
    found = set()
    for write in WRITES:
        for row in STATES.values():
            change = write.build(row or write.row)
            if change.allowed_on(row):
                found.add((state_of(row), write.name.partition(" (")[0], state_of(change.applied_to(row))))
    return sorted(found)


def page() -> str:
    """The page as Markdown with a Mermaid drawing."""
    lines = [
        "# States of a session record", "",
        "Made by `python -m races.draw` from the writes of `core/protocol/writes.py` themselves; a test holds it to them.", "",
        "```mermaid", "stateDiagram-v2",
    ]  # fmt: skip
    pairs = sorted((start, end, write) for start, write, end in transitions())
    for (start, end), group in groupby(pairs, key=lambda pair: pair[:2]):
        lines.append(f"    {start} --> {end}: {', '.join(write for _, _, write in group)}")
    lines += ["```", "", "## Conditions", "", "| write | refused unless | because meanwhile |", "| --- | --- | --- |"]
    for write in WRITES:
        for clause in write.build(write.row).when:
            why = MEANWHILE[clause.name].what if write.name != "create" else "this very sign-in was recorded already"
            lines.append(f"| {write.name} | {_spelled(clause)} | {why} |")
    return "\n".join([*lines, *_USER, ""])


_USER = (
    "",
    "## What is known of the user",
    "",
    "In the row with the session id `#user`; in a table without a sort key in the single row itself.",
    "",
    "| attribute | written by | meaning |",
    "| --- | --- | --- |",
    "| `not_before` | sign out everywhere, new password | no sign-in up to this `auth_time` may land; it never goes back |",
    "| `sign_ins` | sign-ins under `max_sessions` | how many were counted; each session's row holds its number as `sign_in` |",
    "| `unrevoked` | a sign-out that could not revoke | sealed refresh tokens of ended sessions, until a worker revokes them |",
    "",
    "`unrevoked` is kept in the ended row as well, for a request that comes back with its cookie.",
)


def _spelled(clause: Clause) -> str:
    words = {"=": "as read", "<>": "another", "<": "earlier than allowed", ">": "later than now", "absent": "absent"}
    return " or ".join(f"`{test.attr}` {words[test.op]}" for test in clause.tests)


if __name__ == "__main__":
    print(page(), end="")
