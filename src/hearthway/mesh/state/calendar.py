"""A person's calendar in the store: what a file says replaces what was held, unless it is older."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

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
    calendar: str = ""  # whose name it has; empty where it has none


class Kept(Struct, frozen=True, kw_only=True):
    """Counts: entries kept, UIDs or occurrences whose newer version was here already, entries that their calendar no longer has.

    `other_days`: other days are off now, so all is to be learned anew.
    """

    entries: int
    older: int
    gone: int
    other_days: bool = False


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
    named = {one for uid in unread for one in (uid, _own(uid, mirrors))}
    with store.database.transaction() as db:
        number = store.person_no(person_id)
        were_off = days_off(store, person_id)
        for told in changes:
            change = _apart(db, number, told)
            named |= {told.uid, change.uid}
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
        other = days_off(store, person_id) != were_off
        if other:
            _learn_anew(store, db, number)
    return Kept(entries=kept, older=older, gone=gone, other_days=other)


def entries(
    store: Store,
    person_id: str,
    since_s: float = -math.inf,
    until_s: float = math.inf,
    *,
    off: bool | None = False,
) -> list[CalendarEntry]:
    """What is held and lies in [since_s, until_s) in part, by start; cancelled ones included.

    `off`: holidays alone; None: these as well.
    """
    rows = store.database.rows(
        "SELECT body FROM calendar WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
        " AND end_s > ? AND start_s < ? AND (?4 IS NULL OR (off_first IS NOT NULL) = ?4)"
        " ORDER BY start_s, uid, occurs_s",
        (person_id, since_s, until_s, off),
    )
    return [unpack(body, CalendarEntry) for (body,) in rows]


def days_off(store: Store, person_id: str) -> dict[str, list[int]]:
    """The days of this person's calendars of holidays, local days since 1970-01-01 by the calendar's name."""
    found: dict[str, set[int]] = {}
    for calendar, first, last in store.database.rows(
        "SELECT calendar, off_first, off_last FROM calendar"
        " WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?) AND off_first IS NOT NULL",
        (person_id,),
    ):
        found.setdefault(calendar, set()).update(range(first, last + 1))
    return {calendar: sorted(days) for calendar, days in sorted(found.items())}


def _learn_anew(store: Store, db: sqlite3.Connection, number: int) -> None:
    """What was learned went by other days off: nothing of it is kept, by this process or another."""
    db.execute("DELETE FROM models WHERE person_no = ?", (number,))
    store.changed()


def _own(uid: str, calendar: str) -> str:
    """What a UID is kept under that means another event in this calendar than in the one that came first. No UID has a line's end."""
    return f"{uid}\n{calendar}"


def _apart(db: sqlite3.Connection, number: int, change: Change) -> Change:
    """Under its UID, or under that and its calendar's name where another calendar has another event of that UID.

    A UID is unique on the earth (RFC 5545 3.8.4.7), so an event shared by two calendars counts once, and its newer version stands.
    Programs that count from 1 break that: of another calendar, neither at one time nor of one title, it is another event.
    """
    own = _own(change.uid, change.calendar)
    rows = db.execute(
        "SELECT uid, calendar, occurs_s, body FROM calendar WHERE person_no = ? AND uid IN (?, ?)",
        (number, change.uid, own),
    ).fetchall()
    if any(uid == own for uid, *_ in rows):
        if not _one_again(change, rows):
            return _under(change, own)
        db.execute("DELETE FROM calendar WHERE person_no = ? AND uid = ?", (number, own))
        return change
    others = {calendar for _, calendar, *_ in rows}
    if not others or change.calendar in others:
        return change
    times = {entry.occurs_s for entry in change.entries}
    titles = {entry.title.casefold() for entry in change.entries} - {""}
    same = any(
        occurs_s in times or unpack(body, CalendarEntry).title.casefold() in titles
        for *_, occurs_s, body in rows
    )
    # A file without a name may be a mail's word about any event, such as that it is called off.
    return change if same or not change.calendar else _under(change, own)


def _one_again(change: Change, rows: Sequence[tuple[str, str, float, bytes]]) -> bool:
    """Was it kept apart, and is at one time and of one title now? An event that was moved and renamed reaches one calendar before the other."""
    mine = {(entry.occurs_s, entry.title.casefold()) for entry in change.entries}
    theirs = {
        (occurs_s, unpack(body, CalendarEntry).title.casefold())
        for uid, _, occurs_s, body in rows
        if uid == change.uid
    }
    return bool(mine & theirs)


def _under(change: Change, uid: str) -> Change:
    found = tuple(replace(entry, uid=uid) for entry in change.entries)
    return replace(change, uid=uid, entries=found)


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
        (
            *(number, e.uid, e.occurs_s, e.start_s, e.end_s, e.calendar, *version, e.lat, e.lon),
            *(pack(e), *(e.off or (None, None))),
        )
        for e in found
    ]
    marks = ", ".join("?" * 13)
    db.executemany(f"INSERT OR REPLACE INTO calendar VALUES ({marks})", rows)  # noqa: S608  (marks)
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
