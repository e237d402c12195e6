"""SQLiteStore when its files change underneath: removed, replaced, cut, damaged, too long, of another release."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol.conditions import Change, WriteKind, absent
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite import log as sqlite_log
from cognito_session.sqlite_store import SQLiteStore
from support.stack import Program, programs

KEY = SessionKey("user", "sign-in")
NEW = SessionKey("another", "sign-in")
OTHERS = """
import os, sys
from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite_store import SQLiteStore
path = sys.argv[1]
KEY, NEW = SessionKey("user", "sign-in"), SessionKey("another", "sign-in")
def outcome(call):
    try:
        return call()
    except (ConfigurationError, StoreUnavailable) as error:
        return f"{type(error).__name__} {path in str(error)}"
def put(store, key, **attributes):
    return store.write(Change(WriteKind.MOVE_IDLE_END, key, (), put=attributes)).applied
def say(*words):
    print(*words, flush=True)
"""


def put(store, key=KEY, move=WriteKind.MOVE_IDLE_END, **attributes):
    """Set attributes of a row."""
    return store.write(Change(move, key, (), put=attributes))


@pytest.fixture
def path(tmp_path):
    """Where the file is."""
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path):
    """A store with one row, whose connection is open."""
    found = SQLiteStore(path)
    put(found, n=1)
    yield found
    found.close()


def beside(path, suffix):
    """A file that SQLite keeps beside the database."""
    return path.with_name(path.name + suffix)


def raw(path, *statements):
    """Statements past the store."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def refused(store, naming):
    """Every call is a 503 whose message names the file."""
    for call in (
        lambda: store.load(KEY),
        lambda: store.load(NEW),
        lambda: store.rows_of(KEY.sub),
        lambda: put(store, n=2),
        lambda: put(store, NEW, n=2),
        lambda: store.write_all([Change(WriteKind.MOVE_IDLE_END, NEW, (), put={"n": 2})]),
        lambda: store.purge(10),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert str(naming) in str(caught.value)


# --- the file that is open is the file that is there


def remove(path):
    path.unlink()


def remove_all(path):
    for file in path.parent.iterdir():
        file.unlink()


def rename(path):
    path.rename(path.with_name("moved.db"))


def rename_folder(path):
    path.parent.rename(path.parent.with_name(path.parent.name + "-moved"))


def replace_with_nothing(path):
    path.unlink()
    path.touch()


def replace_with_another(path):
    other = path.with_name("other.db")
    SQLiteStore(other).close()
    other.replace(path)


def replace_with_a_copy(path):
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


def replace_with_a_folder(path):
    path.unlink()
    path.mkdir()


def empty(path):
    os.truncate(path, 0)


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite_with_another(path):
    other = path.with_name("other.db")
    other_store = SQLiteStore(other)
    for n in range(100):
        put(other_store, SessionKey(f"user-{n}", "s"), fill="x" * 3000)
    other_store.close()
    path.write_bytes(other.read_bytes())


LOSSES = [
    remove, remove_all, rename, rename_folder, replace_with_nothing, replace_with_another, replace_with_a_copy,
    replace_with_a_folder, empty, halve, overwrite_with_another,
]  # fmt: skip


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_a_file_that_is_lost_is_an_outage(store, path, lose, closed):
    """Every call is a 503 that names the file; none creates a file or a schema, and no write is acknowledged."""
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    if closed:
        store.close()
        if lose is replace_with_a_copy:
            return  # a copy that is put in the place of a file that is not open is a restored copy
    lose(path)
    there = path.exists() and path.is_file() and path.stat().st_size
    refused(store, path)
    assert (path.exists() and path.is_file() and path.stat().st_size) == there


@pytest.mark.parametrize("lose", [remove, rename, replace_with_nothing, replace_with_another, empty])
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_no_other_process_creates_it_again(store, path, lose, closed):
    """A worker that starts afterwards is refused with the names of both files, and so is one that a fork made."""
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    if closed:
        store.close()
    lose(path)
    script = """
say(outcome(lambda: SQLiteStore(path).load(KEY)))
"""
    with programs([Program(OTHERS + script, str(path))]) as (program,):
        assert program.finish() == "ConfigurationError True"
    if lose is not replace_with_another:
        assert not path.exists() or path.stat().st_size == 0


def test_a_fork_does_not_create_it_again(path):
    """The parent opens the file, it is removed, and neither the child nor the parent begins with an empty one."""
    script = """
store = SQLiteStore(path)
put(store, KEY, n=1)
store.close()
os.unlink(path)
child = os.fork()
if not child:
    say("child", outcome(lambda: store.load(KEY)), outcome(lambda: put(store, KEY, n=2)))
    os._exit(0)
os.waitpid(child, 0)
say("parent", outcome(lambda: store.load(KEY)), outcome(lambda: put(store, KEY, n=2)), os.path.exists(path))
"""
    with programs([Program(OTHERS + script, str(path))]) as (program,):
        expected = "StoreUnavailable True StoreUnavailable True"
        assert program.finish().split("\n") == [f"child {expected}", f"parent {expected} False"]


def test_a_file_that_comes_back_is_served_again(store, path):
    """A file that was renamed and renamed back is the same file: nothing is lost and no restart is needed."""
    away = path.with_name("away.db")
    path.rename(away)
    refused(store, path)
    away.rename(path)
    assert store.load(KEY)["n"] == 1
    assert put(store, n=2).applied


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("lose", [remove, replace_with_nothing], ids=["removed", "replaced"])
def test_a_log_that_is_lost_is_an_outage(store, path, suffix, lose):
    """Commits into a log that was removed would be gone with the last connection; none is acknowledged."""
    lose(beside(path, suffix))
    refused(store, beside(path, suffix))


def test_an_index_that_is_cut_does_not_kill_the_process(path):
    """The index of the log is mapped into memory: reading behind its end would be a bus error. It is a 503."""
    script = """
store = SQLiteStore(path)
put(store, KEY, n=1)
os.truncate(path + "-shm", 0)
say(outcome(lambda: store.load(KEY)), outcome(lambda: put(store, KEY, n=2)))
os._exit(0)
"""
    with programs([Program(OTHERS + script, str(path))]) as (program,):
        assert program.finish() == "StoreUnavailable True StoreUnavailable True"


def test_a_commit_into_a_log_that_was_cut_is_not_acknowledged(store, path):
    """SQLite appends where the log ended before, which leaves a hole: the next process would find nothing of it."""
    put(store, n=2)
    os.truncate(beside(path, "-wal"), 0)
    with pytest.raises(StoreUnavailable, match=r"sessions\.db"):
        put(store, n=3)


def test_a_file_removed_during_a_write_is_not_acknowledged(store, path):
    """The file goes after the transaction began: the commit succeeds for SQLite, and the write is a 503."""

    def work(connection, rows):
        rows.put(connection, NEW, {"n": 1}, new=True)
        path.unlink()

    with pytest.raises(StoreUnavailable, match="is gone"):
        store._file.write(work)


def test_a_worker_that_ends_leaves_the_files_of_the_next_database_alone(path):
    """The last connection to close removes the log by its name. Where the name is another database's by now it does not."""
    script = """
store = SQLiteStore(path)
put(store, KEY, n=1)
for name in os.listdir(os.path.dirname(path)):
    os.unlink(os.path.join(os.path.dirname(path), name))
say("removed")
sys.stdin.readline()
outcome(lambda: store.load(KEY))
store.close()
"""
    with programs([Program(OTHERS + script, str(path))]) as (program,):
        assert program.hear() == "removed"
        following = SQLiteStore(path)
        put(following, n=5)
        program.tell("end")
        program.finish()
        assert put(following, n=6).applied
        assert following.load(KEY)["n"] == 6
        following.close()


def test_a_file_that_became_read_only_is_an_outage():
    """A write is a 503 that names the file."""
    script = """
store = SQLiteStore(path)
put(store, KEY, n=1)
os.chmod(path, 0o444)
store.close()
if os.getuid() == 0:
    os.setuid(65534)
say(outcome(lambda: put(store, KEY, n=2)))
"""
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's, which is closed to other users
        Path(folder).chmod(0o777)
        path = Path(folder, "sessions.db")
        with programs([Program(OTHERS + script, str(path))]) as (program,):
            assert program.finish() == "StoreUnavailable True"


def test_a_full_disk_is_an_outage_that_names_the_file(path):
    """Also where the log itself cannot be created."""
    script = """
import resource
store = SQLiteStore(path)
put(store, KEY, n=1)
store.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
say(outcome(lambda: put(store, KEY, n=2)))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
say(outcome(lambda: put(store, KEY, n=2)), store.load(KEY)["n"])
"""
    with programs([Program(OTHERS + script, str(path))]) as (program,):
        assert program.finish().split("\n") == ["StoreUnavailable True", "True 2"]


def test_beginning_with_no_sessions_is_the_operators_step(store, path):
    """Whoever removes all files, the marker included, gets an empty store in the next process."""
    store.close()
    remove_all(path)
    again = SQLiteStore(path)
    assert again.load(KEY) is None
    again.close()


# --- VACUUM and copies


def test_a_file_that_vacuum_made_shorter_is_served(store, path):
    """A database may become shorter for a good reason, and is looked into before that is believed."""
    for n in range(100):
        put(store, SessionKey(f"u-{n}", "s"), fill="x" * 3000, ttl=1)
    raw(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    store.load(KEY)
    before = path.stat().st_size
    store.purge(2)
    raw(path, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < before
    assert store.load(KEY)["n"] == 1
    assert put(store, n=2).applied


def test_a_copy_is_complete_and_closed_to_others(store, path):
    """`backup` writes a file with mode 0600 while the store is in use, and that copy is a store with the same rows."""
    before = os.umask(0)
    try:
        store.backup(path.with_name("copy.db"))
    finally:
        os.umask(before)
    copy = path.with_name("copy.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    other = SQLiteStore(copy)
    assert other.load(KEY) == store.load(KEY)
    assert put(other, n=7).applied
    other.close()
    with pytest.raises(ConfigurationError, match=r"copy\.db"):
        store.backup(copy)
    with pytest.raises(ConfigurationError, match="missing"):
        store.backup(path.parent / "missing" / "copy.db")


def test_a_restored_copy_is_served_after_a_restart(store, path):
    """A copy carries the id of the database, so it takes its place."""
    store.backup(path.with_name("copy.db"))
    store.close()
    path.with_name("copy.db").replace(path)
    other = SQLiteStore(path)
    assert other.load(KEY)["n"] == 1
    other.close()


def test_a_copy_that_fails_leaves_no_file(store, path):
    """Where the database is in trouble, half a copy is not left behind."""
    path.rename(path.with_name("moved.db"))
    with pytest.raises(StoreUnavailable):
        store.backup(path.with_name("copy.db"))
    assert not path.with_name("copy.db").exists()


# --- the log


def test_the_log_is_cut_and_stays_bounded(store, path, monkeypatch):
    """Beside a reader that stays, the log grows to its limit and no further; writes that finish something are taken."""
    monkeypatch.setattr(sqlite_log, "_LIMIT_BYTES", 600_000)
    monkeypatch.setattr(sqlite_log, "KEPT_BYTES", 100_000)
    monkeypatch.setattr(sqlite_log, "_EVERY_SECONDS", 0.0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sessions").fetchall()

    def grow():
        for n in range(300):
            put(store, SessionKey(f"u-{n}", "s"), fill="x" * 3000)

    with pytest.raises(StoreUnavailable, match=r"sessions\.db-wal has \d+ MiB"):
        grow()
    longest = beside(path, "-wal").stat().st_size
    assert longest < 700_000
    assert put(store, move=WriteKind.COMMIT, n=2).applied
    assert put(store, move=WriteKind.LOGOUT, n=3).applied
    assert store.load(KEY)["n"] == 3
    reader.execute("COMMIT")
    reader.close()
    assert put(store, n=4).applied
    assert beside(path, "-wal").stat().st_size < 200_000


def test_a_long_log_is_cut_after_a_commit(store, path, monkeypatch):
    """A log that a burst or a reader has left long is short again after the next commits, not only when all workers end."""
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sessions").fetchall()
    monkeypatch.setattr(sqlite_log, "_EVERY_SECONDS", 3600.0)
    for n in range(400):
        put(store, SessionKey(f"u-{n % 50}", "s"), fill="x" * 20_000)
    assert beside(path, "-wal").stat().st_size > 8_388_608
    reader.close()
    monkeypatch.setattr(sqlite_log, "_EVERY_SECONDS", 0.0)
    store._file._log._next_attempt = 0.0
    put(store, n=2)
    assert beside(path, "-wal").stat().st_size == 0


# --- the schema


def test_a_newer_schema_under_an_open_worker_is_refused(store, path):
    """A newer release changed the file: an open worker neither reads nor writes it, and says what to do."""
    version = raw_value(path, "PRAGMA user_version")
    raw(path, f"PRAGMA user_version = {version + 1}")
    refused(store, path)
    store.close()
    refused(store, path)
    raw(path, f"PRAGMA user_version = {version}")
    assert store.load(KEY)["n"] == 1


def raw_value(path, statement):
    """One value past the store."""
    connection = sqlite3.connect(path)
    (value,) = connection.execute(statement).fetchone()
    connection.close()
    return value


FIRST_SCHEMA = (
    """CREATE TABLE sessions (sub TEXT NOT NULL, sid TEXT NOT NULL, attributes TEXT NOT NULL, ttl INTEGER,
       PRIMARY KEY (sub, sid)) WITHOUT ROWID""",
    "CREATE INDEX sessions_ttl ON sessions (ttl) WHERE ttl IS NOT NULL",
    "PRAGMA application_id = 0x436F6753",
    "PRAGMA user_version = 1",
)


def test_a_file_of_the_first_schema_is_migrated(path):
    """Every row is kept and protected by a checksum; a worker of the older release cannot write rows without one."""
    path.touch(0o600)
    raw(path, "PRAGMA journal_mode = WAL", *FIRST_SCHEMA)
    rows = {f"user-{n}": {"token": f"t{n}", "ttl": n, "ü": "ü"} for n in range(300)}
    old = sqlite3.connect(path, isolation_level=None)
    insert = "INSERT OR REPLACE INTO sessions (sub, sid, attributes, ttl) VALUES (?, 's', ?, ?)"
    old.executemany(insert, [(sub, json.dumps(row, ensure_ascii=False), row["ttl"]) for sub, row in rows.items()])
    store = SQLiteStore(path)
    for sub, row in rows.items():
        assert store.load(SessionKey(sub, "s")) == {**row, "sub": sub, "sid": "s"}
        assert len(store.rows_of(sub)) == 1
    assert store.load(KEY) is None
    with pytest.raises(sqlite3.IntegrityError):
        old.execute(insert, ("user-1", "{}", 1))
    old.close()
    assert store.purge(100) == 100
    store.close()


# --- damage


def damaged(content, random_source):
    """The content with one kind of damage."""
    found, pages = bytearray(content), len(content) // 4096
    page = 4096 * random_source.randrange(pages)
    other = 4096 * random_source.randrange(pages)
    match random_source.choice(("bit", "run", "noise", "zeros", "swap", "copy", "header", "cut")):
        case "bit":
            found[random_source.randrange(len(found))] ^= 1 << random_source.randrange(8)
        case "run":
            start = random_source.randrange(len(found) - 500)
            found[start : start + 500] = random_source.randbytes(500)
        case "noise":
            found[page : page + 4096] = random_source.randbytes(4096)
        case "zeros":
            found[page : page + 4096] = bytes(4096)
        case "swap":
            found[page : page + 4096], found[other : other + 4096] = found[other : other + 4096], found[page : page + 4096]
        case "copy":
            found[page : page + 4096] = found[other : other + 4096]
        case "header":
            found[page + random_source.randrange(12)] = random_source.randrange(256)
        case "cut":
            del found[random_source.randrange(len(found)) :]
    return bytes(found)


def opened(path):
    """The store, None where the damage is found at once."""
    try:
        return SQLiteStore(path)
    except (ConfigurationError, StoreUnavailable):
        return None


@pytest.mark.parametrize("seed", range(3))
def test_damage_is_never_an_unknown_session_or_an_altered_one(tmp_path, seed):
    """Of 3,000 reads of damaged files each is right or a 503, whether the file was damaged before it was opened or after."""
    chance = random.Random(seed)
    origin = SQLiteStore(tmp_path / "origin.db")
    rows = {}
    for n in range(100):
        key = SessionKey(f"user-{n % 40}-{chance.getrandbits(64):x}", f"sid-{n}")
        rows[key] = {"token": "t" * chance.choice((10, 500, 3000)), "n": n, "ttl": n}
        origin.write(Change(WriteKind.CREATE, key, (absent("sub"),), put=rows[key], replace=True))
    origin.close()
    content = (tmp_path / "origin.db").read_bytes()
    counts = {"right": 0, "unavailable": 0}
    for number in range(30):
        path = tmp_path / f"damaged-{number}.db"
        after = damaged(content, chance)
        path.touch(0o600)
        path.write_bytes(content if number % 3 == 0 else after)
        store = opened(path)
        if store is None:
            continue
        if number % 3 == 0:
            path.write_bytes(after)
        for key, row in rows.items():
            try:
                found = store.load(key)
            except StoreUnavailable:
                counts["unavailable"] += 1
            else:
                assert found == {**row, **key._asdict()}
                counts["right"] += 1
        store.close()
    assert min(counts.values()) > 50, counts


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET attributes = replace(attributes, '1', '2')",
        "UPDATE sessions SET sid = 'another' WHERE sub = 'user'",
        "UPDATE sessions SET sub = 'another'",
        "DELETE FROM sessions",
        "UPDATE sessions SET attributes = CAST(attributes AS BLOB) || x'ff'",
        "UPDATE directory SET entries = x''",
        "DELETE FROM directory",
        "UPDATE directory SET entries = zeroblob(16)",
    ],
)
def test_what_is_altered_past_the_store_is_found(store, path, statement):
    """A value, a key, a row that is missing, an entry of the directory: 503 with the reason `unreadable_record`."""
    raw(path, statement)
    calls = [lambda: store.rows_of(KEY.sub)]
    calls += [lambda: store.load(SessionKey("no", "row"))] if statement.endswith(("directory", "(16)")) else []
    calls += [] if "directory" in statement else [lambda: store.load(KEY), lambda: put(store, n=2)]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=r"sessions\.db is damaged") as caught:
            call()
        assert caught.value.reason == "unreadable_record"


def test_purge_does_not_believe_a_damaged_index(store, path):
    """The index of `ttl` says that a session is past it, and its row says that it is not: nothing is removed."""
    put(store, ttl=1000)
    raw(path, "UPDATE sessions SET ttl = 1")
    with pytest.raises(StoreUnavailable, match="is damaged"):
        store.purge(10)
    assert store.load(KEY)["ttl"] == 1000
