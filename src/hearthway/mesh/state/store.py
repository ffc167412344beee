"""What a node keeps: people, their history, latest values, suggestions and answers, models. One file, `node.db`.

Times are Unix seconds; a range is [since_s, until_s). An acknowledged write survives kill -9.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from hearthway.records.codec import digest, pack, unpack
from hearthway.records.errors import InputError, StoreError
from hearthway.records.geo import valid_point
from hearthway.records.life import Person
from hearthway.records.signals import Fix, Signal, Value
from hearthway.records.suggestion import Answer, Suggestion
from hearthway.records.venue import Followed

from .database import Database
from .registers import Registers

BATCH = 500  # rows a transaction and rows a page when reading; of 10,000 a phone kept 3.6 MB of holes after an import
PERSON = (
    "SELECT person_no FROM persons WHERE person_id = ?",
    "INSERT OR IGNORE INTO persons (person_id) VALUES (?)",
)
SOURCE = (
    "SELECT source_no FROM sources WHERE source = ?",
    "INSERT OR IGNORE INTO sources (source) VALUES (?)",
)
PERSON_AND_SOURCE = f"SELECT ({PERSON[0]}), ({SOURCE[0]})"  # each fix asks
_VALUE = msgspec.msgpack.Decoder(Value)


class Added(Struct, frozen=True, kw_only=True):
    """How many records were new, and how many were there already."""

    added: int
    duplicates: int


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened, appended once: what was said, a visit, an undelivered message."""

    event_id: str
    kind: str
    person_id: str
    time_s: float
    body: bytes
    suggestion_id: str = ""
    lat: float | None = None
    lon: float | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A snapshot of learned state: the fold over this person's history up to and including `until_s`."""

    person_id: str
    kind: str
    until_s: float
    data: bytes


class Store(Registers):
    """One node's state on disk. Use from any thread of the node; other processes may open it as well."""

    def __init__(self, database: Database, node_id: str) -> None:
        self.database = database
        self.node_id = node_id

    @classmethod
    def open(cls, path: Path | str, *, node_id: str) -> Store:
        """Open or make `node.db` (0600); StoreError when it is damaged, newer, foreign or not writable."""
        database = Database(Path(path))
        try:
            owner = _claim(database, node_id)
            if owner != node_id:
                raise StoreError(
                    f"{path} belongs to the node {owner}, not to {node_id}.",
                    "Give each node a data directory of its own.",
                )
        except BaseException:
            database.close()
            raise
        return cls(database, node_id)

    @property
    def path(self) -> Path:
        """The database file."""
        return self.database.path

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self.database.close()

    def snapshot_to(self, path: Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Copy everything as of one moment to `path` (0600, whole or not there); writing goes on meanwhile.

        `progress(pages done, pages in all)`. StoreError when it cannot be written or this file is damaged.
        """
        self.database.backup_to(path, progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        why: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def generation(self) -> int:
        """Grows with every `forget`, by whichever process: what was learned before must be learned again."""
        row = self.database.row("SELECT value FROM meta WHERE key = 'generation'")
        return 0 if row is None else int.from_bytes(row[0], "big")

    def history(self) -> int:
        """Grows when the history changes and whoever learns from it as it comes does not see that: an import, a word, a forget."""
        row = self.database.row("SELECT value FROM meta WHERE key = 'history'")
        return self.generation() + (0 if row is None else int.from_bytes(row[0], "big"))

    def changed(self) -> None:
        """The history is another one than those know who learn from it: what they keep from now on is not kept."""
        with self.database.transaction(durable=False) as db:
            count = self.history() - self.generation() + 1
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('history', ?)", (count.to_bytes(8, "big"),)
            )

    # --- persons -----------------------------------------------------------------------------

    def add_person(self, name: str, person_id: str | None = None) -> Person:
        """The person of that name, made where new (random id); InputError when name and id disagree."""
        name = " ".join(name.split())
        if not name:
            raise InputError("A person needs a name.", "Try `--person NAME`.")
        with self.database.transaction() as db:
            row = db.execute(
                "SELECT person_id, name FROM persons WHERE name_fold = ?", (name.casefold(),)
            ).fetchone()
            if row is not None:
                if person_id is not None and row[0] != person_id:
                    raise InputError(f"{row[1]} is somebody else here.", "Choose another name.")
                return Person(person_id=row[0], name=row[1])
            person_id = person_id or secrets.token_hex(8)
            number = self.person_no(person_id)
            (known,) = db.execute(
                "SELECT name FROM persons WHERE person_no = ?", (number,)
            ).fetchone()
            if known is not None:
                raise InputError(
                    f"The person {person_id} is called {known} already.", f"Use {known}."
                )
            db.execute(
                "UPDATE persons SET name = ?, name_fold = ? WHERE person_no = ?",
                (name, name.casefold(), number),
            )
        return Person(person_id=person_id, name=name)

    def persons(self) -> list[Person]:
        """Everybody known here, by name; a name is empty where only the id was ever told."""
        rows = self.database.rows(
            "SELECT person_id, coalesce(name, '') FROM persons WHERE person_no > 0"
            " ORDER BY name_fold, person_id"
        )
        return [Person(person_id=person_id, name=name) for person_id, name in rows]

    def first_person(self) -> Person | None:
        """Who has been known here by name for longest."""
        row = self.database.row(
            "SELECT person_id, name FROM persons WHERE person_no > 0 AND name IS NOT NULL"
            " ORDER BY person_no LIMIT 1"
        )
        return None if row is None else Person(person_id=row[0], name=row[1])

    def person(self, name_or_id: str) -> Person:
        """Somebody by name (any case) or id; InputError with the known names."""
        row = self.database.row(
            "SELECT person_id, coalesce(name, '') FROM persons"
            " WHERE person_no > 0 AND (name_fold = ?1 OR person_id = ?2)"
            " ORDER BY person_id = ?2 DESC",
            (" ".join(name_or_id.split()).casefold(), name_or_id),
        )
        if row is None:
            names = ", ".join(one.name or one.person_id for one in self.persons()) or "nobody yet"
            raise InputError(f"There is no {name_or_id!r} in this household.", f"Known: {names}.")
        return Person(person_id=row[0], name=row[1])

    def person_no(self, person_id: str) -> int:
        """The row number behind an id, made where new. Never cache it: another process may forget the person."""
        with self.database.transaction() as db:
            return _number(db, PERSON, person_id)

    # --- history -----------------------------------------------------------------------------

    def add_fixes(
        self,
        person_id: str,
        fixes: Iterable[Fix],
        source: str,
        *,
        durable: bool = True,
        learned: bool = False,
        generation: int | None = None,
    ) -> Added:
        """Stream fixes in; one per person and time, the first stays. InputError on a point off the earth.

        Batches before an error are kept: importing the repaired file again adds only what is missing. `learned`: the caller
        learns from them as well. `generation`: StoreError where something was forgotten since, and nothing of it comes back.
        """
        stream = iter(fixes)
        added = seen = 0
        while batch := list(islice(stream, BATCH)):
            for fix in batch:
                if not (math.isfinite(fix.time_s) and valid_point(fix.lat, fix.lon)):
                    raise InputError(
                        f"A fix of {source} is not usable: {fix.lat}, {fix.lon} at {fix.time_s}.",
                        "Leave out points that are not on the earth.",
                    )
            with self.database.transaction(durable=durable) as db:
                self.still(generation)
                found = db.execute(PERSON_AND_SOURCE, (person_id, source)).fetchone()
                if None in found:
                    found = _number(db, PERSON, person_id), _number(db, SOURCE, source)
                number, source_no = found
                before = db.total_changes
                db.executemany(
                    "INSERT INTO fixes VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [
                        (
                            number,
                            fix.time_s,
                            fix.lat,
                            fix.lon,
                            fix.accuracy_m,
                            fix.speed_mps,
                            source_no,
                        )
                        for fix in batch
                    ],
                )
                new = db.total_changes - before
                added += new
                if new:
                    _undo_models(db, number, min(fix.time_s for fix in batch))
                    if not learned:
                        self.changed()
            seen += len(batch)
        return Added(added=added, duplicates=seen - added)

    def still(self, generation: int | None) -> None:
        """StoreError where something was forgotten since that `generation()`; in a transaction it stays so until its end."""
        if generation is not None and generation != self.generation():
            raise StoreError(
                "Something was forgotten while this was taken in, so no more of it was.",
                "Import it again if it is still wanted.",
            )

    def fixes(
        self, person_id: str, since_s: float | None = None, until_s: float | None = None
    ) -> Iterator[Fix]:
        """A person's fixes in time order, streamed; writing meanwhile is fine."""
        for row in self._paged(
            "SELECT time_s, lat, lon, accuracy_m, speed_mps FROM fixes"
            " WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
            " AND time_s >= ? AND time_s < ? ORDER BY time_s LIMIT ?",
            person_id,
            since_s,
            until_s,
        ):
            yield Fix(time_s=row[0], lat=row[1], lon=row[2], accuracy_m=row[3], speed_mps=row[4])

    def last_fix(self, person_id: str) -> Fix | None:
        """The newest fix of a person."""
        row = self.database.row(
            "SELECT time_s, lat, lon, accuracy_m, speed_mps FROM fixes WHERE person_no ="
            " (SELECT person_no FROM persons WHERE person_id = ?) ORDER BY time_s DESC LIMIT 1",
            (person_id,),
        )
        if row is None:
            return None
        return Fix(time_s=row[0], lat=row[1], lon=row[2], accuracy_m=row[3], speed_mps=row[4])

    def _paged(
        self, sql: str, person_id: str, since_s: float | None, until_s: float | None
    ) -> Iterator[tuple[Any, ...]]:
        low = -math.inf if since_s is None else since_s
        high = math.inf if until_s is None else until_s
        while True:
            page = self.database.rows(sql, (person_id, low, high, BATCH))
            yield from page
            if len(page) < BATCH:
                return
            low = math.nextafter(page[-1][0], math.inf)

    def add_signals(
        self,
        person_id: str,
        signals: Iterable[Signal],
        *,
        durable: bool = True,
        learned: bool = False,
        generation: int | None = None,
    ) -> Added:
        """Stream signals into the history; one per person, time, key and source, the first stays. Else as `add_fixes`.

        InputError on a time that is no number; batches before it are kept.
        """
        stream = iter(signals)
        added = seen = 0
        while batch := list(islice(stream, BATCH)):
            for one in batch:
                if not math.isfinite(one.time_s):
                    raise InputError(
                        f"A reading of {one.key} from {one.source or 'here'} has no time.",
                        "Leave it out, or set the clock of its source.",
                    )
            with self.database.transaction(durable=durable) as db:
                self.still(generation)
                number = self.person_no(person_id)
                before = db.total_changes
                db.executemany(
                    "INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        (number, one.time_s, one.key, one.source, one.unit, pack(one.value))
                        for one in batch
                    ),
                )
                new = db.total_changes - before
                added += new
                if new:
                    _undo_models(db, number, min(one.time_s for one in batch))
                    if not learned:
                        self.changed()
            seen += len(batch)
        return Added(added=added, duplicates=seen - added)

    def signals(
        self, person_id: str, since_s: float | None = None, until_s: float | None = None
    ) -> Iterator[Signal]:
        """A person's signals by time, key and source, streamed."""
        low = (-math.inf if since_s is None else since_s, "", "")
        high = math.inf if until_s is None else until_s
        while True:
            page = self.database.rows(
                "SELECT time_s, key, source, unit, value FROM signals"
                " WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
                " AND (time_s, key, source) > (?, ?, ?) AND time_s < ?"
                " ORDER BY time_s, key, source LIMIT ?",
                (person_id, *low, high, BATCH),
            )
            for time_s, key, source, unit, value in page:
                yield Signal(
                    key=key,
                    value=_VALUE.decode(value),
                    time_s=time_s,
                    unit=unit,
                    source=source,
                    person=person_id,
                )
            if len(page) < BATCH:
                return
            low = page[-1][:3]

    # --- suggestions and answers -------------------------------------------------------------

    def add_suggestion(self, suggestion: Suggestion) -> bool:
        """Keep a suggestion; False when it was kept already."""
        with self.database.transaction() as db:
            done = db.execute(
                "INSERT INTO suggestions VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    suggestion.suggestion_id,
                    self.person_no(suggestion.person),
                    suggestion.time_s,
                    pack(suggestion),
                ),
            )
        return done.rowcount > 0

    def suggestion(self, id_or_prefix: str) -> Suggestion:
        """A suggestion by id or a unique beginning of it; InputError when none or several fit."""
        rows = self.database.rows(
            "SELECT body FROM suggestions WHERE substr(suggestion_id, 1, length(?1)) = ?1"
            " ORDER BY suggestion_id LIMIT 2",
            (id_or_prefix,),
        )
        if not rows or not id_or_prefix:
            raise InputError(
                f"There is no suggestion {id_or_prefix!r} on this node.",
                "`hearthway why` lists them.",
            )
        if len(rows) > 1:
            raise InputError(
                f"Several suggestions begin with {id_or_prefix!r}.", "Give more of its id."
            )
        return unpack(rows[0][0], Suggestion)

    def suggestions(
        self, person_id: str, since_s: float | None = None, until_s: float | None = None
    ) -> list[Suggestion]:
        """A person's suggestions in time order."""
        return [
            unpack(body, Suggestion)
            for (body,) in self._of_person(
                "suggestions", "suggestion_id", person_id, since_s, until_s
            )
        ]

    def add_answer(self, answer: Answer) -> bool:
        """Keep an answer; False when the same one was kept already."""
        with self.database.transaction() as db:
            done = db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    digest(answer),
                    self.person_no(answer.person),
                    answer.suggestion_id,
                    answer.time_s,
                    answer.lat,
                    answer.lon,
                    pack(answer),
                ),
            )
        return done.rowcount > 0

    def answers(
        self, person_id: str, since_s: float | None = None, until_s: float | None = None
    ) -> list[Answer]:
        """A person's answers in time order."""
        return [
            unpack(body, Answer)
            for (body,) in self._of_person("answers", "answer_id", person_id, since_s, until_s)
        ]

    def _of_person(
        self, table: str, key: str, person_id: str, since_s: float | None, until_s: float | None
    ) -> list[tuple[Any, ...]]:
        return self.database.rows(
            f"SELECT body FROM {table}"  # noqa: S608  (two fixed table names, above)
            " WHERE person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
            f" AND time_s >= ? AND time_s < ? ORDER BY time_s, {key}",
            (
                person_id,
                -math.inf if since_s is None else since_s,
                math.inf if until_s is None else until_s,
            ),
        )

    # --- events ------------------------------------------------------------------------------

    def add_event(
        self,
        kind: str,
        person_id: str,
        time_s: float,
        body: bytes,
        *,
        suggestion_id: str = "",
        lat: float | None = None,
        lon: float | None = None,
    ) -> str:
        """Append an event and return its id; the same event twice is kept once."""
        event_id = digest((kind, person_id, time_s, suggestion_id, body))
        with self.database.transaction() as db:
            db.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (event_id, kind, self.person_no(person_id), time_s, suggestion_id, lat, lon, body),
            )
        return event_id

    def events(
        self,
        kind: str,
        person_id: str | None = None,
        since_s: float | None = None,
        until_s: float | None = None,
    ) -> list[Event]:
        """Events of a kind in time order, of one person or of all."""
        rows = self.database.rows(
            "SELECT e.event_id, e.kind, p.person_id, e.time_s, e.body, e.suggestion_id, e.lat, e.lon"
            " FROM events e JOIN persons p USING (person_no)"
            " WHERE e.kind = ?1 AND (?2 IS NULL OR p.person_id = ?2)"
            " AND e.time_s >= ?3 AND e.time_s < ?4 ORDER BY e.time_s, e.event_id",
            (
                kind,
                person_id,
                -math.inf if since_s is None else since_s,
                math.inf if until_s is None else until_s,
            ),
        )
        return [
            Event(
                event_id=row[0],
                kind=row[1],
                person_id=row[2],
                time_s=row[3],
                body=row[4],
                suggestion_id=row[5],
                lat=row[6],
                lon=row[7],
            )
            for row in rows
        ]

    def drop_event(self, event_id: str) -> None:
        """Remove an event that has done its work, as an undelivered message that arrived."""
        with self.database.transaction() as db:
            db.execute("DELETE FROM events WHERE event_id = ?", (event_id,))

    # --- models ------------------------------------------------------------------------------

    def put_model(
        self, person_id: str, kind: str, until_s: float, data: bytes, history: int | None = None
    ) -> None:
        """Keep a snapshot of learned state; it can always be learned again, so no sync to disk.

        `history`: what `history()` was before what it learned from was read. Where that is another one now, nothing is kept.
        """
        with self.database.transaction(durable=False) as db:
            if history not in (None, self.history()):
                return
            db.execute(
                "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)",
                (self.person_no(person_id), kind, until_s, data),
            )

    def model(self, person_id: str, kind: str) -> Model | None:
        """The snapshot, or None where it was never made or no longer fits the history."""
        row = self.database.row(
            "SELECT m.until_s, m.data FROM models m JOIN persons p USING (person_no)"
            " WHERE p.person_id = ? AND m.kind = ?",
            (person_id, kind),
        )
        if row is None:
            return None
        return Model(person_id=person_id, kind=kind, until_s=row[0], data=row[1])

    # --- venues ------------------------------------------------------------------------------

    def follow(self, followed: Followed, person_id: str = "") -> None:
        """Follow a venue; following again replaces its address and key."""
        with self.database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO followed VALUES (?, ?, ?)",
                (self.person_no(person_id), followed.osm_id, pack(followed)),
            )

    def unfollow(self, osm_id: str, person_id: str = "") -> bool:
        """Stop following; False when it was not followed."""
        with self.database.transaction() as db:
            done = db.execute(
                "DELETE FROM followed WHERE osm_id = ? AND person_no ="
                " (SELECT person_no FROM persons WHERE person_id = ?)",
                (osm_id, person_id),
            )
        return done.rowcount > 0

    def followed(self, person_id: str | None = None) -> list[Followed]:
        """Venues followed by one person (the household's own included), or by anybody; by osm_id."""
        rows = self.database.rows(
            "SELECT f.body FROM followed f JOIN persons p USING (person_no)"
            " WHERE ?1 IS NULL OR p.person_id IN (?1, '') ORDER BY f.osm_id, p.person_no DESC",
            (person_id,),
        )
        found: dict[str, Followed] = {}
        for (body,) in rows:
            one = unpack(body, Followed)
            found.setdefault(one.osm_id, one)
        return list(found.values())

    def last_serial(self, osm_id: str) -> int | None:
        """The highest serial of a venue's statements seen here."""
        row = self.database.row("SELECT serial FROM serials WHERE osm_id = ?", (osm_id,))
        return None if row is None else int(row[0])

    def saw_serial(self, osm_id: str, serial: int) -> None:
        """Remember a serial: an older statement is a replay from now on."""
        with self.database.transaction() as db:
            db.execute(
                "INSERT INTO serials VALUES (?, ?) ON CONFLICT (osm_id)"
                " DO UPDATE SET serial = max(serial, excluded.serial)",
                (osm_id, serial),
            )


def _claim(database: Database, node_id: str) -> str:
    """Whose file this is: written once; afterwards opening needs no write lock."""
    query = "SELECT value FROM meta WHERE key = 'node_id'"
    row = database.row(query)
    if row is None:
        with database.transaction() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('node_id', ?)", (node_id.encode(),))
            row = db.execute(query).fetchone()
    return "" if row is None else bytes(row[0]).decode(errors="replace")


def _number(db: sqlite3.Connection, of: tuple[str, str], value: str) -> int:
    """The row number of a person or a source, made where new."""
    asked, made = of
    row = db.execute(asked, (value,)).fetchone()
    if row is None:
        db.execute(made, (value,))
        row = db.execute(asked, (value,)).fetchone()
    return int(row[0])


def _undo_models(db: sqlite3.Connection, person_no: int, time_s: float) -> None:
    """A model is a fold over the history up to its until_s: news from before or just then undo it."""
    db.execute("DELETE FROM models WHERE person_no = ? AND until_s >= ?", (person_no, time_s))
