"""What the owner says of places, in the store of the phone. It goes to no other node.

A word counts as long as the history still holds a visit of 20 minutes at its point, or held none when it was said.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from hearthway.records.geo import METRES_PER_DEGREE, distance_m
from hearthway.records.life import STAY_MIN_S, STAY_RADIUS_M, PlaceWord

from .store import Store

Key = tuple[int, float]  # person number and time
Visited = dict[Key, bool]  # was there a visit at every point of the word?
Times = tuple[int | None, float, float]  # of whom (None: everybody), since and until
_COLUMNS = "kind, time_s, lat, lon, to_lat, to_lon, name"


def say(store: Store, person_id: str, word: PlaceWord, instead: Sequence[PlaceWord] = ()) -> None:
    """Keep a word, in place of those; it is on the disk when this returns."""
    with store.database.transaction() as db:
        number = store.person_no(person_id)
        _delete(db, number, instead)
        db.execute(
            f"INSERT INTO place_words (person_no, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  (own columns)
            (
                number,
                word.kind,
                word.time_s,
                word.lat,
                word.lon,
                word.to_lat,
                word.to_lon,
                word.name,
            ),
        )
        store.changed()


def rename(store: Store, person_id: str, words: Sequence[PlaceWord], name: str) -> None:
    """Those words say another name, since the time when they were said. What was learned with the old one is dropped."""
    with store.database.transaction() as db:
        number = store.person_no(person_id)
        db.executemany(
            "UPDATE place_words SET name = ? WHERE person_no = ? AND time_s = ?",
            [(name, number, word.time_s) for word in words],
        )
        db.execute("DELETE FROM models WHERE person_no = ?", (number,))
        store.changed()


def unsay(store: Store, person_id: str, words: Sequence[PlaceWord]) -> None:
    """Those words are taken back. What was learned with them is dropped: a kill before the next snapshot changes nothing."""
    with store.database.transaction() as db:
        number = store.person_no(person_id)
        _delete(db, number, words)
        db.execute("DELETE FROM models WHERE person_no = ?", (number,))
        store.changed()


def place_words(
    store: Store, person_id: str, since_s: float | None = None, until_s: float | None = None
) -> list[PlaceWord]:
    """A person's words in [since_s, until_s), by time."""
    rows = store.database.rows(
        f"SELECT {_COLUMNS} FROM place_words"  # noqa: S608  (own columns)
        " WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
        " AND time_s >= ? AND time_s < ? ORDER BY time_s",
        (
            person_id,
            -math.inf if since_s is None else since_s,
            math.inf if until_s is None else until_s,
        ),
    )
    return [_word(row) for row in rows]


# --- forgetting, inside its transaction ---------------------------------------------------------


def visited(db: sqlite3.Connection) -> Visited:
    """Of every word: does the history hold a visit at each of its points?"""
    found = {}
    for number, *row in db.execute(f"SELECT person_no, {_COLUMNS} FROM place_words").fetchall():  # noqa: S608  (own columns)
        word = _word(row)
        found[number, word.time_s] = all(_visit(db, number, *at) for at in _points(word))
    return found


def drop_words(
    db: sqlite3.Connection,
    before: Visited,
    times: Sequence[Times],
    within: Callable[[int, float, float], bool] = lambda number, lat, lon: False,
) -> int:
    """After the history lost a part: words whose visits went along go, and those with a point `within`; how many.

    Kept ones said in one of those times are dated just after what was known before it.
    """
    gone, dated_s = 0, dict[int, float]()
    for number, *row in db.execute(
        f"SELECT person_no, {_COLUMNS} FROM place_words ORDER BY time_s"  # noqa: S608  (own columns)
    ).fetchall():
        word = _word(row)
        points = _points(word)
        if (
            any(within(number, *at) for at in points)
            or not all(_inside(db, number, *at) for at in points)
            or (
                before.get((number, word.time_s), False)
                and not all(_visit(db, number, *at) for at in points)
            )
        ):
            _delete(db, number, [word])
            gone += 1
            continue
        since_s = [a for whose, a, b in times if whose in (None, number) and a <= word.time_s < b]
        if since_s:
            after_s = dated_s.get(number, 0.0)  # what was said before stays before
            dated_s[number] = _date_back(db, number, word.time_s, min(since_s), after_s)
    return gone


def _date_back(
    db: sqlite3.Connection, number: int, time_s: float, since_s: float, known_s: float
) -> float:
    for table in ("fixes", "signals", "place_words"):
        (last_s,) = db.execute(
            f"SELECT max(time_s) FROM {table} WHERE person_no = ? AND time_s < ? AND time_s != ?",  # noqa: S608  (fixed names, above)
            (number, since_s, time_s),
        ).fetchone()
        known_s = known_s if last_s is None else max(known_s, last_s)
    back_s = math.nextafter(known_s, math.inf)
    db.execute(
        "UPDATE place_words SET time_s = ? WHERE person_no = ? AND time_s = ?",
        (back_s, number, time_s),
    )
    return back_s


def _visit(db: sqlite3.Connection, number: int, lat: float, lon: float) -> bool:
    """Was somebody within a stay radius for as long as a stay, with nothing recorded outside in between?"""
    begin_s = last_s = math.nan
    for time_s in _inside(db, number, lat, lon):
        out = db.execute(
            "SELECT 1 FROM fixes WHERE person_no = ? AND time_s > ? AND time_s < ? LIMIT 1",
            (number, last_s, time_s),
        ).fetchone()
        if math.isnan(last_s) or out is not None:
            begin_s = time_s
        if time_s - begin_s >= STAY_MIN_S:
            return True
        last_s = time_s
    return False


def _inside(db: sqlite3.Connection, number: int, lat: float, lon: float) -> list[float]:
    """Times of the fixes within a stay radius of a point."""
    margin = (STAY_RADIUS_M + 1.0) / METRES_PER_DEGREE
    return [
        row[0]
        for row in db.execute(
            "SELECT time_s, lat, lon FROM fixes WHERE person_no = ? AND lat BETWEEN ? AND ?"
            " ORDER BY time_s",
            (number, lat - margin, lat + margin),
        )
        if distance_m(row[1], row[2], lat, lon) <= STAY_RADIUS_M
    ]


def _points(word: PlaceWord) -> list[tuple[float, float]]:
    points = [(word.lat, word.lon)]
    if word.to_lat is not None and word.to_lon is not None:
        points.append((word.to_lat, word.to_lon))
    return points


def _word(row: Sequence[object]) -> PlaceWord:
    return msgspec.convert(dict(zip(_COLUMNS.split(", "), row, strict=True)), PlaceWord)


def _delete(db: sqlite3.Connection, number: int, words: Sequence[PlaceWord]) -> None:
    db.executemany(
        "DELETE FROM place_words WHERE person_no = ? AND time_s = ?",
        [(number, word.time_s) for word in words],
    )
