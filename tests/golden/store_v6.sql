-- Schema 6 with one synthetic person; kept so that every old file opens. Never edit.
PRAGMA application_id=1213355095;
PRAGMA user_version=6;
BEGIN TRANSACTION;
CREATE TABLE answers (
        answer_id TEXT PRIMARY KEY, person_no INTEGER NOT NULL REFERENCES persons,
        suggestion_id TEXT NOT NULL, time_s REAL NOT NULL, lat REAL, lon REAL,
        body BLOB NOT NULL) STRICT;
CREATE TABLE bodies (
        seq INTEGER PRIMARY KEY, suggestion_id TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        salt BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE calendar (
        person_no INTEGER NOT NULL REFERENCES persons, uid TEXT NOT NULL, occurs_s REAL NOT NULL,
        start_s REAL NOT NULL, end_s REAL NOT NULL, calendar TEXT NOT NULL,
        sequence INTEGER NOT NULL, stamped_s REAL NOT NULL, lat REAL, lon REAL,
        body BLOB NOT NULL, off_first INTEGER, off_last INTEGER, PRIMARY KEY (person_no, uid, occurs_s)) STRICT, WITHOUT ROWID;
INSERT INTO "calendar" VALUES(1,'u1',1000.0,1000.0,4600.0,'Anna',0,0.0,60.1,24.9,X'8EA3756964A27531A86F63637572735F73CB408F400000000000A773746172745F73CB408F400000000000A5656E645F73CB40B1F80000000000A7616C6C5F646179C2A963616E63656C6C6564C2A57469746C65A7436F6E63657274A86C6F636174696F6EA448616C6CA36C6174CB404E0CCCCCCCCCCDA36C6F6ECB4038E66666666666AA706C6163655F66726F6DA863616C656E646172A873657175656E636500A97374616D7065645F73CB0000000000000000A863616C656E646172A4416E6E61',NULL,NULL);
CREATE TABLE chain (
        seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, time_s REAL NOT NULL,
        commitment BLOB NOT NULL, erases BLOB NOT NULL, prev_hash BLOB NOT NULL,
        hash BLOB NOT NULL, signature BLOB NOT NULL) STRICT;
CREATE TABLE commands (
        sender TEXT NOT NULL, command_id BLOB NOT NULL, time_s REAL NOT NULL, reply BLOB,
        PRIMARY KEY (sender, command_id)) STRICT, WITHOUT ROWID;
INSERT INTO "commands" VALUES('phone',X'01',130.0,X'A0');
CREATE TABLE countersigns (
        node TEXT NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, witness BLOB NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (node, seq, hash, witness)) STRICT, WITHOUT ROWID;
CREATE TABLE cursors (
        peer TEXT PRIMARY KEY, database BLOB NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "cursors" VALUES('car',X'00112233445566778899AABBCCDDEEFF',7);
CREATE TABLE enrolments (node TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE events (
        event_id TEXT PRIMARY KEY, kind TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        suggestion_id TEXT NOT NULL, lat REAL, lon REAL, body BLOB NOT NULL) STRICT;
INSERT INTO "events" VALUES('1964317f061572e1e9da5fa72656c9a4','said',1,120.0,'',NULL,NULL,X'78');
CREATE TABLE fixes (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        lat REAL NOT NULL, lon REAL NOT NULL, accuracy_m REAL, speed_mps REAL,
        source_no INTEGER NOT NULL,
        PRIMARY KEY (person_no, time_s)) STRICT, WITHOUT ROWID;
INSERT INTO "fixes" VALUES(1,100.0,60.17,24.94,5.0,NULL,1);
INSERT INTO "fixes" VALUES(1,160.0,60.18,24.95,NULL,NULL,1);
CREATE TABLE followed (
        person_no INTEGER NOT NULL REFERENCES persons, osm_id TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (person_no, osm_id)) STRICT;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('database_id',X'FFEEDDCCBBAA99887766554433221100');
INSERT INTO "meta" VALUES('node_id',X'70686F6E65');
INSERT INTO "meta" VALUES('salt',X'00112233445566778899AABBCCDDEEFF');
INSERT INTO "meta" VALUES('seq',X'33');
CREATE TABLE models (
        person_no INTEGER NOT NULL REFERENCES persons, kind TEXT NOT NULL,
        until_s REAL NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (person_no, kind)) STRICT;
CREATE TABLE orders (
        order_id TEXT PRIMARY KEY, time_s REAL NOT NULL, state TEXT NOT NULL,
        scope BLOB, body BLOB, counts BLOB, erased BLOB) STRICT;
CREATE TABLE orders_pending (
        order_id TEXT NOT NULL, node TEXT NOT NULL, PRIMARY KEY (order_id, node)) STRICT, WITHOUT ROWID;
CREATE TABLE own_wait (osm_id TEXT PRIMARY KEY, serial INTEGER NOT NULL, signed BLOB) STRICT;
CREATE TABLE parties (
        number INTEGER PRIMARY KEY, size INTEGER NOT NULL, came_s REAL NOT NULL,
        seated_s REAL, left_s REAL) STRICT;
INSERT INTO "parties" VALUES(1,2,100.0,400.0,4000.0);
CREATE TABLE persons (
        person_no INTEGER PRIMARY KEY, person_id TEXT NOT NULL UNIQUE,
        name TEXT, name_fold TEXT UNIQUE) STRICT;
INSERT INTO "persons" VALUES(0,'',NULL,NULL);
INSERT INTO "persons" VALUES(1,'a1','Anna','anna');
CREATE TABLE place_words (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL, kind TEXT NOT NULL,
        lat REAL NOT NULL, lon REAL NOT NULL, to_lat REAL, to_lon REAL, name TEXT NOT NULL,
        PRIMARY KEY (person_no, time_s)) STRICT, WITHOUT ROWID;
INSERT INTO "place_words" VALUES(1,160.5,'name',60.18,24.95,NULL,NULL,'The flat');
CREATE TABLE registers (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, hlc TEXT NOT NULL,
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL, lat REAL, lon REAL, ttl_s REAL NOT NULL DEFAULT 0, written_s REAL NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0)
        STRICT, WITHOUT ROWID;
INSERT INTO "registers" VALUES('Setting.Home.Arrival.Temperature',X'15','00000000ea60-000000-phone',0,NULL,NULL,NULL,0.0,0.0,1);
INSERT INTO "registers" VALUES('latest.soc',X'2A','00000000ea61-000002-car',1,120.0,NULL,NULL,0.0,120.0,2);
CREATE TABLE serials (osm_id TEXT PRIMARY KEY, serial INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE signals (
        person_no INTEGER NOT NULL REFERENCES persons, time_s REAL NOT NULL,
        key TEXT NOT NULL, source TEXT NOT NULL, unit TEXT NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (person_no, time_s, key, source)) STRICT, WITHOUT ROWID;
INSERT INTO "signals" VALUES(1,100.0,'Vehicle.Speed','car','m/s',X'CB402B000000000000');
INSERT INTO "signals" VALUES(1,101.0,'X','','',X'C3');
CREATE TABLE sources (source_no INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO "sources" VALUES(1,'a.gpx');
CREATE TABLE suggestions (
        suggestion_id TEXT PRIMARY KEY, person_no INTEGER NOT NULL REFERENCES persons,
        time_s REAL NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE tombstones (key_hash BLOB PRIMARY KEY, hlc TEXT NOT NULL, seq INTEGER NOT NULL DEFAULT 0, shared INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "tombstones" VALUES(X'AABB','00000000ea60-000000-car',3,1);
CREATE INDEX suggestions_by_person ON suggestions (person_no, time_s);
CREATE INDEX answers_by_person ON answers (person_no, time_s);
CREATE INDEX events_by_kind ON events (kind, person_no, time_s);
CREATE INDEX bodies_by_suggestion ON bodies (suggestion_id);
CREATE INDEX registers_by_seq ON registers (seq);
CREATE INDEX tombstones_by_seq ON tombstones (seq);
CREATE INDEX commands_by_time ON commands (time_s);
CREATE INDEX parties_by_time ON parties (came_s);
CREATE INDEX calendar_by_end ON calendar (person_no, end_s);
COMMIT;
