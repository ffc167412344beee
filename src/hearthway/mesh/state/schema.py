"""The node's database, as numbered migrations. A released one is never edited: a change is the next number."""

from __future__ import annotations

APPLICATION_ID = 0x48525457  # "HRTW" in the file's header: a foreign database is never touched

_V1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    # person 0 is nobody: a thing's own readings
    """CREATE TABLE persons (
        person_no INTEGER PRIMARY KEY, person_id TEXT NOT NULL UNIQUE,
        name TEXT, name_fold TEXT UNIQUE) STRICT""",
    "INSERT INTO persons (person_no, person_id) VALUES (0, '')",
    "CREATE TABLE sources (source_no INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE fixes (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        lat REAL NOT NULL, lon REAL NOT NULL, accuracy_m REAL, speed_mps REAL,
        source_no INTEGER NOT NULL,
        PRIMARY KEY (person_no, time_s)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE signals (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        key TEXT NOT NULL, source TEXT NOT NULL, unit TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (person_no, time_s, key, source)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE registers (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, hlc TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL, lat REAL, lon REAL)
        STRICT, WITHOUT ROWID""",
    # a forgotten register must not come back from a node that was away: salted hash, never the key
    "CREATE TABLE tombstones (key_hash BLOB PRIMARY KEY, hlc TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE suggestions (
        suggestion_id TEXT PRIMARY KEY, person_no INTEGER NOT NULL REFERENCES persons,
        time_s REAL NOT NULL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX suggestions_by_person ON suggestions (person_no, time_s)",
    """CREATE TABLE answers (
        answer_id TEXT PRIMARY KEY, person_no INTEGER NOT NULL REFERENCES persons,
        suggestion_id TEXT NOT NULL, time_s REAL NOT NULL, lat REAL, lon REAL,
        body BLOB NOT NULL) STRICT""",
    "CREATE INDEX answers_by_person ON answers (person_no, time_s)",
    """CREATE TABLE events (
        event_id TEXT PRIMARY KEY, kind TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        suggestion_id TEXT NOT NULL, lat REAL, lon REAL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX events_by_kind ON events (kind, person_no, time_s)",
    """CREATE TABLE models (
        person_no INTEGER NOT NULL REFERENCES persons, kind TEXT NOT NULL,
        until_s REAL NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (person_no, kind)) STRICT""",
    """CREATE TABLE followed (
        person_no INTEGER NOT NULL REFERENCES persons, osm_id TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (person_no, osm_id)) STRICT""",
    "CREATE TABLE serials (osm_id TEXT PRIMARY KEY, serial INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE own_wait (osm_id TEXT PRIMARY KEY, serial INTEGER NOT NULL, signed BLOB) STRICT",
    """CREATE TABLE chain (
        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, time_s REAL NOT NULL,
        commitment BLOB NOT NULL, erases BLOB NOT NULL, prev_hash BLOB NOT NULL,
        hash BLOB NOT NULL, signature BLOB NOT NULL) STRICT""",
    """CREATE TABLE bodies (
        seq INTEGER PRIMARY KEY, suggestion_id TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        salt BLOB NOT NULL, body BLOB NOT NULL) STRICT""",
    "CREATE INDEX bodies_by_suggestion ON bodies (suggestion_id)",
    """CREATE TABLE countersigns (
        node TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, witness BLOB NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (node, seq, hash, witness)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE enrolments (node TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT",
    # state: started -> deleted -> clean; scope is emptied as soon as the deletion is done
    """CREATE TABLE orders (
        order_id TEXT PRIMARY KEY, time_s REAL NOT NULL, state TEXT NOT NULL,
        scope BLOB, body BLOB, counts BLOB, erased BLOB) STRICT""",
    """CREATE TABLE orders_pending (
        order_id TEXT NOT NULL, node TEXT NOT NULL, PRIMARY KEY (order_id, node)) STRICT, WITHOUT ROWID""",
)

_V2 = (
    "ALTER TABLE registers ADD COLUMN ttl_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE registers ADD COLUMN written_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE registers ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE tombstones ADD COLUMN seq INTEGER NOT NULL DEFAULT 0",
    # of a key that everybody shares: of others not even the hash goes to somebody's own device
    "ALTER TABLE tombstones ADD COLUMN shared INTEGER NOT NULL DEFAULT 0",
    # changes from before there were numbers get the first ones, in the order of their writes
    """UPDATE registers SET written_s = coalesce(time_s, 0),
        seq = (SELECT count(*) FROM registers b WHERE b.hlc < registers.hlc
            OR (b.hlc = registers.hlc AND b.key <= registers.key))""",
    """UPDATE tombstones SET seq = (SELECT count(*) FROM registers)
        + (SELECT count(*) FROM tombstones b WHERE b.key_hash <= tombstones.key_hash)""",
    """INSERT INTO meta SELECT 'seq', CAST(CAST(
        (SELECT count(*) FROM registers) + (SELECT count(*) FROM tombstones) AS TEXT) AS BLOB)""",
    "CREATE INDEX registers_by_seq ON registers (seq)",
    "CREATE INDEX tombstones_by_seq ON tombstones (seq)",
    """CREATE TABLE cursors (
        peer TEXT PRIMARY KEY, database BLOB NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
    # reply NULL: begun, and how it ended is not known
    """CREATE TABLE commands (
        sender TEXT NOT NULL, command_id BLOB NOT NULL, time_s REAL NOT NULL, reply BLOB,
        PRIMARY KEY (sender, command_id)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX commands_by_time ON commands (time_s)",
)

_V3 = (
    # a venue's own queue: numbers and times, nobody's name
    """CREATE TABLE parties (
        number INTEGER PRIMARY KEY, size INTEGER NOT NULL, came_s REAL NOT NULL,
        seated_s REAL, left_s REAL) STRICT""",
    "CREATE INDEX parties_by_time ON parties (came_s)",
)

_V4 = (
    # occurs_s is the start its series gave an entry, also once it was moved
    """CREATE TABLE calendar (
        person_no INTEGER NOT NULL REFERENCES persons, uid TEXT NOT NULL, occurs_s REAL NOT NULL,
        start_s REAL NOT NULL, end_s REAL NOT NULL, calendar TEXT NOT NULL,
        sequence INTEGER NOT NULL, stamped_s REAL NOT NULL, lat REAL, lon REAL,
        body BLOB NOT NULL, PRIMARY KEY (person_no, uid, occurs_s)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX calendar_by_end ON calendar (person_no, end_s)",
)

_V5 = (
    # what the owner says of places; time_s is just after the last thing that was known then
    """CREATE TABLE place_words (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL, kind TEXT NOT NULL,
        lat REAL NOT NULL, lon REAL NOT NULL, to_lat REAL, to_lon REAL, name TEXT NOT NULL,
        PRIMARY KEY (person_no, time_s)) STRICT, WITHOUT ROWID""",
)

_V6 = (
    # the first and last local day of what stands in a calendar of holidays: no entry that one gets ready for
    "ALTER TABLE calendar ADD COLUMN off_first INTEGER",
    "ALTER TABLE calendar ADD COLUMN off_last INTEGER",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_V1, _V2, _V3, _V4, _V5, _V6)  # index + 1 is the number
SCHEMA_VERSION = len(MIGRATIONS)
