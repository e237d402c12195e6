"""SQLiteStore beyond the contract: many processes, crashes, forks, files that are not what they should be, secrets."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import tempfile
import threading
import time
import traceback
from pathlib import Path

import pytest

from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.core.protocol.conditions import Change, WriteKind, absent, equals
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite import file as sqlite_file
from cognito_session.sqlite_store import SQLiteStore
from support.stack import Program, programs

KEY = SessionKey("user", "sign-in")
SECRET = "refresh-token-canary"
PREAMBLE = """
import json, os, sys, threading, time
from cognito_session.core.protocol.conditions import Change, WriteKind, absent, equals
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite_store import SQLiteStore
def put(store, sub, **attributes):
    return store.write(Change(WriteKind.MOVE_IDLE_END, SessionKey(sub, "s"), (), put=attributes))
def say(*words):
    print(*words, flush=True)
"""


def put(store, key=KEY, **attributes):
    """Set attributes of a row."""
    return store.write(Change(WriteKind.MOVE_IDLE_END, key, (), put=attributes))


@pytest.fixture
def path(tmp_path):
    """Where the file will be."""
    return tmp_path / "sessions.db"


@pytest.fixture
def store(path):
    """An empty store."""
    found = SQLiteStore(path)
    yield found
    found.close()


@pytest.fixture
def hasty(monkeypatch):
    """Patience that a test can wait for."""
    monkeypatch.setattr(sqlite_file, "_PATIENCE_SECONDS", 0.3)


def raw(path, *statements):
    """Statements past the store; what the last one finds."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        found = [connection.execute(statement).fetchall() for statement in statements]
    finally:
        connection.close()
    return found[-1]


# --- many processes

RACE = """
path, me, crowd, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = SQLiteStore(path)
won = []
for n in range(rounds):
    here = SessionKey(f"round-{n}", "barrier")
    store.write(Change(WriteKind.MOVE_IDLE_END, here, (), add={"here": 1}))
    while store.load(here)["here"] < crowd:
        time.sleep(0.002)
    lease = Change(WriteKind.ACQUIRE, SessionKey(f"round-{n}", "s"), (absent("lease_id"),), put={"lease_id": me})
    written = store.write(lease)
    if written.applied:
        won.append(n)
    assert written.applied or written.found["lease_id"] != me
say(json.dumps(won))
"""


def test_of_many_processes_one_gets_the_lease(path):
    """Sixteen processes that begin on a missing file and race for 25 leases: one winner each, and no error reaches any."""
    crowd, rounds = 16, 25
    with programs([Program(PREAMBLE + RACE, str(path), str(n), str(crowd), str(rounds)) for n in range(crowd)]) as racers:
        won = [json.loads(racer.finish()) for racer in racers]
    assert sorted(n for rounds_won in won for n in rounds_won) == list(range(rounds))
    store = SQLiteStore(path)
    for n in range(rounds):
        (winner,) = [me for me, rounds_won in enumerate(won) if n in rounds_won]
        assert store.load(SessionKey(f"round-{n}", "s"))["lease_id"] == str(winner)
    store.close()


CRASHING = """
store = SQLiteStore(sys.argv[1])
for n in range(1_000_000):
    put(store, f"{sys.argv[2]}-{n}", token="t" * 2000, n=n)
    say(n)
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 200])
def test_a_killed_process_loses_nothing_that_was_acknowledged(path, acknowledged):
    """Kill -9 amid the writes of three processes: the file is sound, every acknowledged write is in it, writing goes on."""
    last = []
    with programs([Program(PREAMBLE + CRASHING, str(path), str(n)) for n in range(3)]) as writers:
        for writer in writers:
            for _ in range(acknowledged):
                heard = writer.hear()
            last.append(int(heard))
        for writer in writers:
            writer.end()
    store = SQLiteStore(path)
    for writer, count in enumerate(last):
        for n in range(count + 1):
            assert store.load(SessionKey(f"{writer}-{n}", "s"))["n"] == n
    assert put(store, n=1).applied
    store.close()
    assert raw(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_commit_is_synchronised(store, path):
    """A power cut takes no acknowledged commit: WAL with synchronous = FULL (2); removed secrets are overwritten."""
    settings = store._file.read(
        lambda c, _: [c.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "secure_delete")]
    )
    assert settings == [b"wal", 2, 1]


# --- patience


def test_a_lock_that_stays_is_an_outage_and_readers_do_not_wait(store, path, hasty):
    """Another program holds the write lock: writes end as StoreUnavailable in time, reads are served."""
    put(store, token=SECRET)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        put(store, n=1)
    assert 0.25 < time.monotonic() - began < 2
    assert caught.value.retry_after == 1
    assert store.load(KEY)["token"] == SECRET
    other.execute("ROLLBACK")
    other.close()
    assert put(store, n=1).applied


def test_a_lock_that_goes_is_waited_for(store, path):
    """A write that meets a lock for longer than SQLite itself waits still succeeds."""
    put(store, n=0)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    timer.start()
    assert put(store, n=1).applied
    timer.join()
    other.close()


def test_a_full_disk_is_an_outage_and_loses_nothing(path):
    """A write for which there is no room is a StoreUnavailable; what was there stays, and space makes it work again."""
    script = """
import resource
from cognito_session.core.errors import StoreUnavailable
store = SQLiteStore(sys.argv[1])
put(store, "first", n=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    for n in range(1000):
        put(store, f"u-{n}", fill="x" * 20_000)
except StoreUnavailable as error:
    say("outage", store.load(SessionKey("first", "s"))["n"], store.load(SessionKey(f"u-{n}", "s")), 0 < n < 1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
say(put(store, f"u-{n}", n=2).applied)
"""
    with programs([Program(PREAMBLE + script, str(path))]) as (program,):
        assert program.finish().split("\n") == ["outage 1 None True", "True"]


def test_an_interrupted_write_is_undone(store):
    """What is raised amid a transaction, even a KeyboardInterrupt, leaves neither a half write nor a lock."""

    def interrupted(connection, rows):
        rows.put(connection, KEY, {"n": 1}, new=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store._file.write(interrupted)
    assert store.load(KEY) is None
    assert put(store, n=1).applied


def test_a_value_that_no_row_has_is_refused_whole(store):
    """Bytes, tuples and names that are no text are a TypeError, not something else on the way back; nothing is written."""
    for value in (b"x", ("a",), {1: "a"}, frozenset({1}), {"deep": [object()]}):
        with pytest.raises(TypeError, match="session row"):
            put(store, n=1, value=value)
    assert store.load(KEY) is None


# --- forks

SURVIVES = """
store = SQLiteStore(sys.argv[1])
put(store, "parent", n=1)
here, there = os.pipe(), os.pipe()
child = os.fork()
if not child:
    assert store.load(SessionKey("parent", "s"))["n"] == 1
    os.write(here[1], b".")
    os.read(there[0], 1)          # the parent has closed its connections meanwhile
    put(store, "child", n=2)
    say("child wrote")
    os._exit(0)
os.read(here[0], 1)
put(store, "parent", n=3)
store.close()
os.write(there[1], b".")
assert os.waitpid(child, 0)[1] == 0
other = SQLiteStore(sys.argv[1])
say(other.load(SessionKey("child", "s"))["n"], other.load(SessionKey("parent", "s"))["n"])
"""


def test_parent_and_child_go_on_beside_each_other(path):
    """A used store works on both sides of a fork, and the parent's last close does not take the child's commits."""
    with programs([Program(PREAMBLE + SURVIVES, str(path))]) as (program,):
        assert program.finish().split("\n") == ["child wrote", "2 3"]


BUSY_FORKS = """
import warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
store = SQLiteStore(sys.argv[1])
stop = threading.Event()
counts = [0] * 4
def write(me):
    while not stop.is_set():
        store.write(Change(WriteKind.MOVE_IDLE_END, SessionKey("n", "s"), (), add={"n": 1}))
        counts[me] += 1
threads = [threading.Thread(target=write, args=(me,)) for me in range(4)]
for thread in threads: thread.start()
children = []
for n in range(12):
    child = os.fork()
    if not child:
        for _ in range(5):
            store.write(Change(WriteKind.MOVE_IDLE_END, SessionKey("n", "s"), (), add={"n": 1}))
        sys.exit(0)               # an orderly end: the interpreter takes everything apart
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 12
stop.set()
for thread in threads: thread.join()
say(store.load(SessionKey("n", "s"))["n"] == sum(counts) + 60)
"""


def test_forks_amid_the_writes_of_threads_lose_nothing(path):
    """Twelve forks while four threads write: no child hangs or fails, and every count is there."""
    with programs([Program(PREAMBLE + BUSY_FORKS, str(path))]) as (program,):
        assert program.finish() == "True"


def test_a_fork_that_bypasses_python_is_refused_not_risked(store, monkeypatch):
    """A child that did inherit a connection neither uses nor closes it, and says so with a 503."""
    leaked = []
    monkeypatch.setattr("cognito_session.fork.leak", leaked.append)
    put(store, n=1)
    (inherited,) = store._file._open
    real = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: real + 1)
    with pytest.raises(StoreUnavailable, match="forked"):
        store.load(KEY)
    assert leaked == [[inherited]]
    store.close()
    assert inherited.execute("SELECT 1").fetchone() == (1,)
    inherited.close()


def test_connections_are_as_many_as_threads_at_work(store):
    """Threads that come and go share one connection; none is left by a thread that ended."""
    for _ in range(20):
        thread = threading.Thread(target=put, args=(store,), kwargs={"n": 1})
        thread.start()
        thread.join()
    assert len(store._file._open) == len(store._file._idle) == 1
    store.close()
    assert not store._file._open
    assert store.load(KEY)["n"] == 1


# --- the file


def test_only_the_owner_may_read_the_file(path):
    """The file and those beside it are made with mode 0600, whatever the umask."""
    before = os.umask(0)
    try:
        store = SQLiteStore(path)
        put(store, token=SECRET)
        modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("sessions.db", "sessions.db-wal", "sessions.db-shm", "sessions.db-created"), 0o600)
    store.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_file_that_is_open_to_others_is_refused(path, mode, suffix):
    """It holds refresh tokens, and so does the log beside it: a sentence that names file, mode and command, nothing changed."""
    SQLiteStore(path).close()
    found = Path(f"{path}{suffix}")
    found.touch()
    found.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"sessions.db{suffix} is open to other users \(mode {mode:04o}\).*chmod 600"):
        SQLiteStore(path)
    assert stat.S_IMODE(found.stat().st_mode) == mode
    found.chmod(0o600)
    SQLiteStore(path).close()


def test_a_link_to_nowhere_is_refused(path, tmp_path):
    """Whoever places a link would choose where the tokens go; no file is made there."""
    target = tmp_path / "elsewhere.db"
    path.symlink_to(target)
    with pytest.raises(ConfigurationError, match="is a link to a file that does not exist"):
        SQLiteStore(path)
    assert not target.exists()
    SQLiteStore(target).close()
    SQLiteStore(path).close()


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_belongs_to_another_user_is_refused(path, tmp_path, what, monkeypatch):
    """The owner could read or replace the file, or lead the link elsewhere; a link of root's is accepted."""
    target = tmp_path / "target.db"
    SQLiteStore(target).close()
    path.symlink_to(target)
    mine = os.geteuid()
    whole = Path.lstat if what == "link" else Path.stat

    def looked(self, **options):
        found = whole(self, **options)
        return os.stat_result([*found[:4], mine + 1, *found[5:]]) if self == path else found

    monkeypatch.setattr(Path, whole.__name__, looked)
    with pytest.raises(ConfigurationError, match=rf"belongs to another user \(uid {mine + 1}"):
        SQLiteStore(path)


def test_a_removed_secret_is_gone_from_the_file(store, path):
    """What a logout takes out of the row is not left behind on the disk once the log is written back."""
    put(store, token=SECRET, username=SECRET * 2_000)  # beyond one page: the pages behind it become free
    store.write(Change(WriteKind.LOGOUT, KEY, (), put={"state": "ended"}, drop=frozenset({"token", "username"})))
    store.close()
    assert {file.name: SECRET.encode() in file.read_bytes() for file in path.parent.iterdir()} == {
        "sessions.db": False,
        "sessions.db-created": False,
    }


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///sessions.db", "{here}/sessions.db"),
        ("sqlite:///folder/sessions.db", "{here}/folder/sessions.db"),
        ("sqlite:///a%20b.db", "{here}/a%20b.db"),
        ("sqlite:////{here}/absolute.db", "{here}/absolute.db"),
        ("sqlite:///file:x.db", "{here}/file:x.db"),
    ],
)
def test_a_url_names_a_file(tmp_path, monkeypatch, url, expected):
    """Three slashes before a relative path, four before an absolute one; nothing in it is decoded or interpreted."""
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore.from_url(url.format(here=str(tmp_path).removeprefix("/")), one_row_per_user=True)
    monkeypatch.chdir("/")
    assert put(store, n=1).applied
    assert Path(expected.format(here=tmp_path)).is_file()
    assert store.one_row_per_user
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "", "sqlite:", "sqlite://", "sqlite:///", "sqlite:////", "sqlite://host/file", "sqlite:/file", "SQLITE:///x",
        "postgres:///x", "sqlite:///folder/", "sqlite:///:memory:", "sqlite:///x?mode=ro", "sqlite:///x#y", "sessions",
        "sqlite:///a\0b", "sqlite+pysqlite:///x",
    ],
)  # fmt: skip
def test_a_url_that_names_no_file_is_refused(url, tmp_path, monkeypatch):
    """It is a ConfigurationError, and no file is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        SQLiteStore.from_url(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["missing/sessions.db", "file/sessions.db", ".", "loop"])
def test_a_place_that_takes_no_file_is_refused(tmp_path, where):
    """A missing folder, a file for a folder, a folder for a file, a link to itself."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigurationError, match="SQLite"):
        SQLiteStore(tmp_path / where)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o555, None), (0o777, 0o400)], ids=["folder", "file"])
def test_a_place_that_may_not_be_written_is_refused(folder_mode, file_mode):
    """A folder of somebody else or a file without the right to write is a ConfigurationError at the start, not a 503 later."""
    script = """
from cognito_session.core.errors import ConfigurationError
import cognito_session.sqlite.file, sqlite3, urllib.parse  # what a user without rights could not import
if os.getuid() == 0:
    os.setuid(65534)
try:
    SQLiteStore(sys.argv[1])
except ConfigurationError as error:
    say("cannot be opened for writing" in str(error))
"""
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's, which is closed to other users
        path = Path(folder, "sessions.db")
        if file_mode is not None:
            SQLiteStore(path).close()
            path.chmod(file_mode)
            if os.getuid() == 0:
                os.chown(path, 65534, 65534)
        Path(folder).chmod(folder_mode)
        with programs([Program(PREAMBLE + script, str(path))]) as (program,):
            said = program.finish()
        Path(folder).chmod(0o700)
    assert said == "True"


def test_a_file_that_is_no_database_is_refused(path):
    """It is a ConfigurationError, and the file is left as it is."""
    path.write_bytes(b"these are not the rows you are looking for" * 100)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is no SQLite database"):
        SQLiteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["CREATE TABLE app (x)"], "another program's database"),
        (["PRAGMA application_id = 7"], "another program's database"),
        (["PRAGMA application_id = 0x436F6753", "PRAGMA user_version = 3"], "upgrade cognito-session"),
    ],
)
def test_a_database_that_is_not_ours_is_refused(path, statements, expected):
    """Another program's, and one that a newer release has made, are left alone."""
    raw(path, *statements)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=expected):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_file_keeps_its_layout(path):
    """Opened in the other layout nobody would have a session any more; that is said instead."""
    SQLiteStore(path, one_row_per_user=True).close()
    with pytest.raises(ConfigurationError, match="one_row_per_user"):
        SQLiteStore(path)
    SQLiteStore(path, one_row_per_user=True).close()


def test_a_damaged_file_is_an_outage(store, path):
    """Pages that were overwritten: a 503 for the request, and its message says what is the matter."""
    for n in range(200):
        put(store, SessionKey(f"user-{n}", "s"), fill="x" * 500)
    store.close()
    with path.open("r+b") as file:  # the first two pages hold the schema and the file's id
        file.seek(8192)
        file.write(b"\xa5" * (path.stat().st_size - 8192))
    for call in (lambda: store.load(KEY), lambda: put(store, n=1), lambda: store.rows_of("user-1")):
        with pytest.raises(StoreUnavailable, match="malformed"):
            call()


# --- secrets


def everything(error):
    """All that a log could show of an error: text, arguments, attributes, and the same of what it was raised from."""
    found = []
    while error is not None:
        found += [*traceback.format_exception_only(error), repr(error.args), repr(vars(error))]
        found += [repr(getattr(error, name, "")) for name in ("doc", "object")]
        error = error.__cause__ or error.__context__
    return "\n".join(found)


@pytest.mark.parametrize("text", [f'{{"token": "{SECRET}"', f'["{SECRET}"]', f'{{"x": {{"$set": [["{SECRET}"]]}}}}'])
def test_a_row_that_cannot_be_read_keeps_its_secret(store, path, text):
    """A row that is no row is a 503 for the operator, and neither the error nor what it came from shows what it held."""
    put(store, n=1)
    raw(path, f"UPDATE sessions SET attributes = '{text}'")
    for call in (lambda: store.load(KEY), lambda: put(store, n=1), lambda: store.rows_of(KEY.sub)):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert caught.value.reason == "unreadable_record"
        assert SECRET not in everything(caught.value)


def test_errors_and_reprs_hold_no_secret(store, path, hasty):
    """Neither a lock, nor a missing table, nor a value of a wrong type brings a token into a message."""
    put(store, token=SECRET)
    errors = []
    with pytest.raises(TypeError) as caught:
        put(store, token=SECRET.encode())
    errors.append(caught.value)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as caught:
        store.write(Change(WriteKind.COMMIT, KEY, (equals("token", SECRET),), put={"token": SECRET}))
    errors.append(caught.value)
    other.execute("DROP TABLE sessions")
    other.execute("COMMIT")
    other.close()
    with pytest.raises(StoreUnavailable) as caught:
        store.write(Change(WriteKind.COMMIT, KEY, (absent("token"),), put={"token": SECRET}))
    errors.append(caught.value)
    assert not any(SECRET in everything(error) for error in errors)
    assert SECRET not in repr(store)


# --- purge


def test_purge_removes_what_is_past_its_ttl_and_nothing_else(store, monkeypatch):
    """Rows before `now` go, in as many steps as it takes; those without a ttl, or with one that is no number, stay."""
    monkeypatch.setattr("cognito_session.sqlite_store._PURGE_ROWS", 10)
    for n in range(25):
        put(store, SessionKey(f"old-{n}", "s"), ttl=100 + n)
    kept = {"a": 200, "b": "100", "c": None, "d": 2**70, "e": True, "f": -(2**70)}
    for name, ttl in kept.items():
        put(store, SessionKey(name, "s"), ttl=ttl)
    put(store, SessionKey("none", "s"), n=1)
    assert [store.purge(now) for now in (100, 100.5, 200, 200)] == [0, 1, 24, 0]
    assert store.load(SessionKey("old-7", "s")) is None
    assert {name: store.load(SessionKey(name, "s"))["ttl"] for name in kept} == kept
    assert store.load(SessionKey("none", "s"))["n"] == 1


def test_purge_goes_by_the_ttl_as_last_written(store):
    """A session that was prolonged is kept, and reads never look at the ttl."""
    put(store, ttl=100)
    assert store.load(KEY)["ttl"] == 100
    put(store, ttl=300)
    assert store.purge(200) == 0
    store.write(Change(WriteKind.MOVE_IDLE_END, KEY, (), drop=frozenset({"ttl"})))
    assert store.purge(10**12) == 0


def test_sqlite_is_loaded_by_the_first_store_only():
    """Importing the store loads no database: a process with another store does not pay for it."""
    with programs([Program("import sys, cognito_session.sqlite_store\nprint('sqlite3' in sys.modules)")]) as (program,):
        assert program.finish() == "False"
