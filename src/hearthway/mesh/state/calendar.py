"""A person's calendar in the store: what a file says replaces what was held, unless it is older."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable

from msgspec import Struct

from hearthway.records.calendar import CalendarEntry
from hearthway.records.codec import pack, unpack

from .store import Store

Version = tuple[int, float]  # SEQUENCE, then LAST-MODIFIED or DTSTAMP


class Change(Struct, frozen=True, kw_only=True):
    """What is now to be held of one UID: all of it where `whole`, else those occurrences instead of the old ones."""

    uid: str
    whole: bool
    entries: tuple[CalendarEntry, ...]
    version: Version


class Kept(Struct, frozen=True, kw_only=True):
    """Counts: entries kept, UIDs or occurrences whose newer version was here already, entries that their calendar no longer has."""

    entries: int
    older: int
    gone: int


def keep(
    store: Store,
    person_id: str,
    changes: Iterable[Change],
    *,
    mirrors: str = "",
    unread: Iterable[str] = (),
    now_s: float = 0.0,
) -> Kept:
    """Keep what a file says, all of it or nothing. `mirrors` names the calendar that the file has wholly.

    Then what it had that is not over at `now_s` and is no longer in the file goes. `unread`: UIDs that are in
    the file and were not understood.
    """
    kept = older = gone = 0
    named = set(unread)
    with store.database.transaction() as db:
        number = store.person_no(person_id)
        for change in changes:
            named.add(change.uid)
            if not change.whole:
                done = _single(db, number, change)
                kept += done
                older += len(change.entries) - done
            elif _held(db, number, change.uid) > change.version:
                older += 1
            else:
                db.execute(
                    "DELETE FROM calendar WHERE person_no = ? AND uid = ?", (number, change.uid)
                )
                kept += _write(db, number, change.entries, change.version)
        if mirrors:
            gone = _drop_missing(db, number, mirrors, named, now_s)
    return Kept(entries=kept, older=older, gone=gone)


def entries(
    store: Store, person_id: str, since_s: float = -math.inf, until_s: float = math.inf
) -> list[CalendarEntry]:
    """What is held and lies in [since_s, until_s) in part, by start; cancelled ones included."""
    rows = store.database.rows(
        "SELECT body FROM calendar WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
        " AND end_s > ? AND start_s < ? ORDER BY start_s, uid, occurs_s",
        (person_id, since_s, until_s),
    )
    return [unpack(body, CalendarEntry) for (body,) in rows]


def _single(db: sqlite3.Connection, number: int, change: Change) -> int:
    """Occurrences that were changed by themselves."""
    done = 0
    for entry in change.entries:
        row = db.execute(
            "SELECT sequence, stamped_s FROM calendar WHERE person_no = ? AND uid = ? AND occurs_s = ?",
            (number, entry.uid, entry.occurs_s),
        ).fetchone()
        version = (entry.sequence, entry.stamped_s)
        if row is None or tuple(row) <= version:
            done += _write(db, number, (entry,), version)
    return done


def _held(db: sqlite3.Connection, number: int, uid: str) -> Version:
    row = db.execute(
        "SELECT sequence, stamped_s FROM calendar WHERE person_no = ? AND uid = ?"
        " ORDER BY sequence DESC, stamped_s DESC LIMIT 1",
        (number, uid),
    ).fetchone()
    return (-1, -math.inf) if row is None else (int(row[0]), float(row[1]))


def _write(
    db: sqlite3.Connection, number: int, found: Iterable[CalendarEntry], version: Version
) -> int:
    rows = [
        (number, e.uid, e.occurs_s, e.start_s, e.end_s, e.calendar, *version, e.lat, e.lon, pack(e))
        for e in found
    ]
    db.executemany("INSERT OR REPLACE INTO calendar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return len(rows)


def _drop_missing(
    db: sqlite3.Connection, number: int, calendar: str, named: set[str], now_s: float
) -> int:
    held = db.execute(
        "SELECT DISTINCT uid FROM calendar WHERE person_no = ? AND calendar = ? AND end_s > ?",
        (number, calendar, now_s),
    ).fetchall()
    gone = 0
    for (uid,) in held:
        if uid not in named:
            done = db.execute(
                "DELETE FROM calendar WHERE person_no = ? AND calendar = ? AND uid = ? AND end_s > ?",
                (number, calendar, uid, now_s),
            )
            gone += done.rowcount
    return gone
