"""`make bench`: this library against boto3 + PyJWT doing the same session check on the same server, in one run.

Rounds are interleaved and medians compared, because machines are noisy: read the ratios, not the milliseconds. A ratio
over its budget is marked; a benchmark never fails a build.
"""

from __future__ import annotations

import argparse
import base64
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cognito_session.local.stack import LocalStack

HERE = Path(__file__).parent


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=11, help="interleaved rounds of each comparison")
    rounds = arguments.parse_args().rounds
    with LocalStack.start() as stack:
        environment, token = prepare(stack)
        print(f"{'what':<58}{'ours':>12}{'theirs':>12}{'ratio':>8}{'budget':>8}")
        cold(environment, token, rounds)
        warm(environment, token, rounds)
    return 0


def prepare(stack: LocalStack) -> tuple[dict[str, str], str]:
    """A pool, two tables, a signed-in user whose session has been seen, with a token cookie and with a sealed one."""
    from cognito_session import SessionManager

    pool = stack.create_pool(access_token_seconds=86_400)
    stack.create_user(pool, "alice", "Password1!")
    stack.create_table("sessions", partition_key="sub")
    environment = {**os.environ, **pool.environment(), "SESSION_TABLE": "sessions", "PYTHONDONTWRITEBYTECODE": ""}
    environment |= {"SESSION_KEYS": f"1.{base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"}
    sessions = SessionManager.from_env(environ=environment, cookie="token", cookie_name="token")
    me = sessions.establish(stack.sign_in(pool, "alice", "Password1!"))
    sessions.resolve(f"token={me.access_token}")
    environment |= {"SEALED_TABLE": stack.create_table("sealed", partition_key="sub")}
    sealed = SessionManager.from_env(environ=environment, session_table="sealed")
    cookie = sealed.establish(stack.sign_in(pool, "alice", "Password1!")).set_cookies[0].partition(";")[0]
    sealed.resolve(cookie)
    return environment | {"SEALED_COOKIE": cookie}, me.access_token


def cold(environment: dict[str, str], token: str, rounds: int) -> None:
    """Whole processes: bare interpreter to one finished check, key set fetched by both."""
    times: dict[str, list[tuple[float, float]]] = {"ours.py": [], "ours_sealed.py": [], "theirs.py": [], "bare": []}
    for _ in range(rounds):
        for script, found in times.items():
            found.append(whole_process(script, environment, token))
    for kind, which in (("wall", 0), ("CPU", 1)):
        ours = statistics.median(t[which] for t in times["ours.py"])
        theirs = statistics.median(t[which] for t in times["theirs.py"])
        sealed = statistics.median(t[which] for t in times["ours_sealed.py"])
        line(f"cold: interpreter to first checked session, {kind} (ms)", ours * 1e3, theirs * 1e3, budget=0.40)
        line(f"cold, sealed cookie, {kind} (ms)", sealed * 1e3, theirs * 1e3, budget=0.28)
    bare = statistics.median(t[0] for t in times["bare"])
    print(f"{'      share of a bare interpreter, wall (ms)':<58}{bare * 1e3:>12.1f}{bare * 1e3:>12.1f}")


def whole_process(script: str, environment: dict[str, str], token: str) -> tuple[float, float]:
    command = [sys.executable, "-c", "pass"] if script == "bare" else [sys.executable, str(HERE / script), token]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{script} failed")
    return wall, usage.ru_utime + usage.ru_stime


def warm(environment: dict[str, str], token: str, rounds: int) -> None:
    """One process, everything connected and cached; both check the same token against the same row."""
    output = subprocess.run(
        [sys.executable, str(HERE / "warm.py"), token, str(rounds)], env=environment, check=True, capture_output=True, text=True
    ).stdout
    for row in output.splitlines():
        what, ours, theirs, budget = row.split("|")
        line(what, float(ours), float(theirs), budget=float(budget) if budget else None)


def line(what: str, ours: float, theirs: float, *, budget: float | None) -> None:
    ratio = ours / theirs
    mark = "" if budget is None else f"{budget:>8.2f}" + ("" if ratio <= budget else "  over")
    print(f"{what:<58}{ours:>12.3f}{theirs:>12.3f}{ratio:>8.2f}{mark}")


if __name__ == "__main__":
    sys.exit(main())
