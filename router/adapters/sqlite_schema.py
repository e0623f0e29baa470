"""The tables of a state file, and their version."""

import sqlite3

APPLICATION_ID = 0x726F7574  # "rout": says whose file this is

FIRST = """
CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    worst_nusd INTEGER NOT NULL,
    worst_tokens INTEGER NOT NULL,
    cost_nusd INTEGER NOT NULL,
    usage TEXT,            -- JSON: the fields of a Usage that are not zero
    how TEXT,
    kind TEXT,
    parts TEXT NOT NULL,   -- JSON: [[name of a counter, unit, needed], ...]
    takes TEXT NOT NULL,   -- JSON: [[name of a window, unit, bucket, amount], ...]
    reserved_at_s REAL NOT NULL,
    ended_at_s REAL,
    lease_until_s REAL NOT NULL,
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    policy TEXT NOT NULL,
    tenant TEXT,
    user TEXT,
    target TEXT NOT NULL,
    plan_digest TEXT NOT NULL,
    prices_digest TEXT NOT NULL
);
CREATE INDEX open_leases ON attempts (lease_until_s) WHERE ended_at_s IS NULL;
CREATE TABLE names (       -- of counters and windows; a number never changes its meaning
    name INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);
CREATE TABLE counters (
    name INTEGER PRIMARY KEY,
    settled INTEGER NOT NULL,
    reserved INTEGER NOT NULL
);
CREATE TABLE buckets (     -- of sliding windows
    name INTEGER NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (name, at)
) WITHOUT ROWID;
CREATE TABLE permits (
    id TEXT NOT NULL,
    name INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    until_s REAL NOT NULL,
    PRIMARY KEY (id, name)
) WITHOUT ROWID;
CREATE INDEX permits_of ON permits (name, until_s);
CREATE TABLE health (
    provider TEXT NOT NULL,
    name TEXT NOT NULL,    -- of a key, or model:NAME
    failures INTEGER NOT NULL,
    cooling_until_s REAL NOT NULL,
    PRIMARY KEY (provider, name)
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('refused_seq', 0);
CREATE VIEW spend AS SELECT key, settled, reserved FROM counters JOIN names USING (name);
"""

SECOND = """
-- key: under which name the provider's key is written. tags: JSON, a list; NULL where the call had none.
ALTER TABLE attempts ADD COLUMN key TEXT;
ALTER TABLE attempts ADD COLUMN tags TEXT;
ALTER TABLE attempts ADD COLUMN ended_seq INTEGER;
-- granted: by people, and already taken off `settled`. moved: what rows had settled that were moved out since.
ALTER TABLE counters ADD COLUMN granted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE counters ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;
CREATE TABLE acts (        -- of people: only ever added to
    seq INTEGER PRIMARY KEY,
    at_s REAL NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    kind TEXT NOT NULL,
    what TEXT NOT NULL     -- JSON: the fields of the act
);
CREATE TABLE marks (       -- warnings that were given
    name INTEGER NOT NULL,
    percent_milli INTEGER NOT NULL,
    until_s REAL,
    PRIMARY KEY (name, percent_milli)
) WITHOUT ROWID;
DROP VIEW spend;
CREATE VIEW spend AS
    SELECT key, settled + granted AS settled, reserved, granted FROM counters JOIN names USING (name);
"""

THIRD = """
CREATE TABLE key_health (
    provider TEXT NOT NULL,
    key TEXT NOT NULL,
    cooling_until_s REAL NOT NULL,
    PRIMARY KEY (provider, key)
) WITHOUT ROWID;
INSERT INTO key_health SELECT provider, name, cooling_until_s FROM health WHERE cooling_until_s > 0;
DROP TABLE health;
CREATE TABLE breakers (    -- of targets that failed at some time
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL,   -- JSON: the fields of a Breaker that say something
    PRIMARY KEY (provider, model)
) WITHOUT ROWID;
"""

FOURTH = """
ALTER TABLE key_health ADD COLUMN rests INTEGER NOT NULL DEFAULT 0;
"""

VERSIONS = (FIRST, SECOND, THIRD, FOURTH)
"""What leads to each version from the one before it. A file is brought up to date in place, in one transaction; one
that is new goes through all of them, so that both are alike."""
VERSION = len(VERSIONS)


class ForeignFile(Exception):
    """The file is not one that this version may write. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def prepare(cursor: sqlite3.Cursor) -> None:
    """Bring the tables to this version, from an earlier one or from nothing.

    Raises ForeignFile for a newer version and for another program's file.
    """
    if _version(cursor) == VERSION:
        return
    cursor.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(cursor), VERSION):  # none where another process was faster
            _apply(cursor, VERSIONS[number])
        cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        cursor.execute(f"PRAGMA user_version = {VERSION}")
        cursor.execute("COMMIT")
    except BaseException:
        cursor.execute("ROLLBACK")
        raise


def _apply(cursor: sqlite3.Cursor, statements: str) -> None:
    for statement in statements.split(";\n"):
        cursor.execute(statement)


def _version(cursor: sqlite3.Cursor) -> int:
    """The version of the tables, 0 for an empty file. Each line is a look of its own, and another process may make
    the tables between two of them: who has seen tables sees whose they are."""
    tables = int(cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    owner = int(cursor.execute("PRAGMA application_id").fetchone()[0])
    version = int(cursor.execute("PRAGMA user_version").fetchone()[0])
    if owner == APPLICATION_ID:
        if version > VERSION:
            raise ForeignFile(
                f"was written by a newer router (its version is {version}, this router knows {VERSION})",
                "upgrade this router, or give it a state file of its own",
            )
        return version
    if tables:
        raise ForeignFile("belongs to another program", "name another file as state")
    return 0
