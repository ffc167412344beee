"""Forgetting: delete what is held, erase receipt bodies, tell the other nodes, wipe the free pages.

The order is on disk before anything is deleted, the deletion is one transaction and the wipe is repeated until it
is done, so a crash at any point is finished by `resume`. What was learned is dropped and learned again from what
remains. A span covers a thing's own readings (nobody's) as well: the car was where its driver was.
What stays in the chain of an erased receipt is its number, the time it was written and a salted hash.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec
from msgspec import Struct

from hearthway.mesh.trust.signing import signed_by
from hearthway.records.calendar import CalendarEntry
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, StoreError, WireError
from hearthway.records.forgetting import (
    ForgetOrder,
    ForgetReport,
    PersonScope,
    PlaceScope,
    RangeScope,
    Scope,
    SignedForget,
    Span,
)
from hearthway.records.geo import METRES_PER_DEGREE, distance_m, valid_point
from hearthway.records.life import STAY_RADIUS_M
from hearthway.records.situation import Agenda, Planned
from hearthway.records.suggestion import Suggestion

from .hlc import Hlc
from .place_words import Visited, drop_words, visited
from .receipts import ReceiptChain
from .store import Store

_ORDER = b"hearthway-forget-order-1\x00"
SPAN_MARGIN_S = 60.0  # around a visit, at most: a reading beside the fix tells where it was, too
# Who comes and goes by one road leaves a hole between two near ends, and a stay near the place would be read into it.
ENDS_M = 2.0 * STAY_RADIUS_M  # no stay holds two fixes that are further apart
ENDS_NEAR_M = 500.0  # from the circle: a phone that moves tells of itself about so often
ENDS_APART_S = 240.0  # into a shorter hole nobody reads a stop
_SCOPE = msgspec.msgpack.Decoder(Scope)
_OWNED = (
    "fixes",
    "signals",
    "registers",
    "suggestions",
    "answers",
    "events",
    "models",
    "followed",
    "calendar",
    "place_words",
)


class PendingForget(Struct, frozen=True, kw_only=True):
    """An order that some nodes have not acknowledged yet."""

    order: ForgetOrder
    nodes: tuple[str, ...]


def forget(
    store: Store, chain: ReceiptChain, scope: Scope, now_s: float, *, nodes: Iterable[str] = ()
) -> ForgetReport:
    """Forget `scope` on this node and keep the order for `nodes` until each acknowledged; InputError on a bad scope."""
    _check(store, scope)
    order_id = secrets.token_hex(16)
    with store.database.transaction() as db:
        db.execute(
            "INSERT INTO orders (order_id, time_s, state, scope) VALUES (?, ?, 'started', ?)",
            (order_id, now_s, pack(scope)),
        )
        db.executemany(
            "INSERT INTO orders_pending VALUES (?, ?)",
            [(order_id, node) for node in sorted({*nodes} - {store.node_id})],
        )
    return _carry_out(store, chain, order_id)


def apply(store: Store, chain: ReceiptChain, order: ForgetOrder, now_s: float) -> ForgetReport:
    """Carry out another node's order; the second time it only gives the same report again."""
    with store.database.transaction() as db:
        db.execute(
            "INSERT INTO orders (order_id, time_s, state, body) VALUES (?, ?, 'started', ?)"
            " ON CONFLICT DO NOTHING",
            (order.order_id, now_s, pack(order)),
        )
    return _carry_out(store, chain, order.order_id)


def resume(store: Store, chain: ReceiptChain) -> list[ForgetReport]:
    """Finish what a crash or a busy file interrupted. Call it at every start of a node."""
    return [
        _carry_out(store, chain, order_id)
        for (order_id,) in store.database.rows(
            "SELECT order_id FROM orders WHERE state != 'clean' ORDER BY time_s, order_id"
        )
    ]


def pending(store: Store) -> list[PendingForget]:
    """Orders not yet acknowledged by every node, the oldest first."""
    found: dict[str, tuple[ForgetOrder, list[str]]] = {}
    for order_id, body, node in store.database.rows(
        "SELECT o.order_id, o.body, n.node FROM orders o JOIN orders_pending n USING (order_id)"
        " WHERE o.body IS NOT NULL AND o.state != 'started' ORDER BY o.time_s, o.order_id, n.node"
    ):
        found.setdefault(order_id, (unpack(body, ForgetOrder), []))[1].append(node)
    return [PendingForget(order=order, nodes=tuple(nodes)) for order, nodes in found.values()]


def acknowledge(store: Store, order_id: str, node: str) -> None:
    """A node has carried the order out; after the last one, the order's content is dropped here."""
    with store.database.transaction() as db:
        db.execute("DELETE FROM orders_pending WHERE order_id = ? AND node = ?", (order_id, node))
        _drop_body(db, order_id)


def sign_order(order: ForgetOrder, chain: ReceiptChain) -> SignedForget:
    """The order as it goes to other nodes, signed by the giver's receipt key."""
    data = pack(order)
    return SignedForget(order=data, key=chain.public_key, signature=chain.sign(_ORDER + data))


def verify_order(signed: SignedForget, node: str, node_key: bytes) -> ForgetOrder:
    """The order, if `node` gave it and signed it with its enrolled key; else WireError."""
    if signed.key != node_key or not signed_by(node_key, signed.signature, _ORDER + signed.order):
        raise WireError(
            f"An order to forget that claims to come from {node} is not signed by it.",
            "Nothing was forgotten. Pair that node again if its key changed.",
        )
    order = unpack(signed.order, ForgetOrder)
    if order.node != node:
        raise WireError(f"{node} sent an order that {order.node} gave.", "Nothing was forgotten.")
    return order


def narrowed(store: Store, order: ForgetOrder, person_id: str, household: Set[str]) -> ForgetOrder:
    """The order as that person may give it to this node; WireError where it is about another of the household.

    "Everybody" on somebody's phone is that person, whoever lives there without being listed, and nobody in particular.
    """
    others = household - {person_id}
    meant = {*order.persons, *(span.person_id for span in order.spans)}
    if others & meant or any(others & _whose(store, one) for one in order.suggestions):
        raise WireError(
            f"{order.node} sent an order to forget what is about somebody else.",
            "Nothing was forgotten. It is given on that person's own phone.",
        )
    known = {person_id, *(p for p in _people(store, None) if p)} - others
    spans = [
        msgspec.structs.replace(span, person_id=one)
        for span in order.spans
        for one in ([span.person_id] if span.person_id else sorted(known))
    ]
    return msgspec.structs.replace(order, spans=tuple(spans))


def _whose(store: Store, suggestion_id: str) -> set[str]:
    """Whom what is kept here of a suggestion is about."""
    return {
        row[0]
        for table in ("suggestions", "answers", "events", "bodies")
        for row in store.database.rows(
            f"SELECT p.person_id FROM {table} t JOIN persons p USING (person_no) WHERE t.suggestion_id = ?",  # noqa: S608  (own tables)
            (suggestion_id,),
        )
    }


def _check(store: Store, scope: Scope) -> None:
    if scope.person_id is not None and store.person(scope.person_id).person_id != scope.person_id:
        raise InputError(f"{scope.person_id!r} is a name, not an id.", "Look the person up first.")
    if isinstance(scope, PlaceScope):
        if not valid_point(scope.lat, scope.lon):
            raise InputError(f"{scope.lat}, {scope.lon} is no point on the earth.", "Try LAT,LON.")
        if not 0.0 < scope.radius_m < math.inf:
            raise InputError(f"A radius of {scope.radius_m} m forgets nothing.", "Try 200.")
    if isinstance(scope, RangeScope) and not scope.since_s < scope.until_s:
        raise InputError("The range ends before it begins.", "Give the earlier time first.")


def _carry_out(store: Store, chain: ReceiptChain, order_id: str) -> ForgetReport:
    with store.database.transaction() as db:
        state, time_s, scope, body = db.execute(
            "SELECT state, time_s, scope, body FROM orders WHERE order_id = ?", (order_id,)
        ).fetchone()
        if state == "started":
            if scope is not None:
                work = _plan(store, _SCOPE.decode(scope), order_id, time_s)
            else:
                work = _Work(order=unpack(body, ForgetOrder))
            counts, erased = _delete(store, chain, work, time_s)
            # from here on neither a name nor a coordinate of it is on this disk
            db.execute(
                "UPDATE orders SET state = 'deleted', scope = NULL, body = ?, counts = ?, erased = ?"
                " WHERE order_id = ?",
                (pack(work.order), pack(counts), pack(erased), order_id),
            )
            _drop_body(db, order_id)
            db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('generation', ?)",
                ((store.generation() + 1).to_bytes(8, "big"),),
            )
    clean = state == "clean" or _scrub(store, order_id)
    row = store.database.row("SELECT counts, erased FROM orders WHERE order_id = ?", (order_id,))
    if row is None:
        raise StoreError(
            f"The order {order_id} vanished.", "Run the same `hearthway forget` again."
        )
    return ForgetReport(
        order_id=order_id,
        counts=unpack(row[0], dict[str, int]),
        erased=unpack(row[1], tuple[int, ...]),
        clean=clean,
    )


def _scrub(store: Store, order_id: str) -> bool:
    try:
        store.database.scrub()
    except (
        StoreError
    ):  # busy or no space: the pages are zeroed (secure_delete), the wipe comes later
        return False
    with store.database.transaction() as db:
        db.execute("UPDATE orders SET state = 'clean' WHERE order_id = ?", (order_id,))
    return True


def _drop_body(db: sqlite3.Connection, order_id: str) -> None:
    db.execute(
        "UPDATE orders SET body = NULL WHERE order_id = ?1 AND state != 'started'"
        " AND NOT EXISTS (SELECT 1 FROM orders_pending WHERE order_id = ?1)",
        (order_id,),
    )


# --- what to delete ---------------------------------------------------------------------------


class _Work(Struct, kw_only=True):
    """An order, and what only the node that holds the coordinates can add to it."""

    order: ForgetOrder
    place: PlaceScope | None = None
    osm_ids: tuple[str, ...] = ()
    ends: tuple[tuple[str, float], ...] = ()  # fixes beside the circle that go as well: whose, when


def _plan(store: Store, scope: Scope, order_id: str, time_s: float) -> _Work:
    order = ForgetOrder(order_id=order_id, node=store.node_id, time_s=time_s)
    replace = msgspec.structs.replace
    if isinstance(scope, PersonScope):
        return _Work(order=replace(order, persons=(scope.person_id,)))
    if isinstance(scope, RangeScope):
        span = Span(since_s=scope.since_s, until_s=scope.until_s, person_id=scope.person_id or "")
        ids = _suggestions_in(store, (span,))
        return _Work(order=replace(order, spans=(span,), suggestions=tuple(sorted(ids))))
    spans: list[Span] = []
    ends: list[tuple[str, float]] = []
    for person_id in _people(store, scope.person_id):
        spans += _visits(person_id, _gone(scope, _fix_positions(store, person_id)))
        spans += _visits(person_id, _gone(scope, _signal_positions(store, person_id)))
        ends += [
            (person_id, time_s)
            for time_s, inside, gone in _marked(scope, _fix_positions(store, person_id))
            if gone and not inside
        ]
    ids, osm_ids = _mentions(store, scope)
    ids |= _suggestions_in(store, spans)
    return _Work(
        order=replace(order, spans=tuple(spans), suggestions=tuple(sorted(ids))),
        place=scope,
        osm_ids=tuple(sorted(osm_ids)),
        ends=tuple(ends),
    )


def _people(store: Store, person_id: str | None) -> list[str]:
    """The person meant, or everybody; nobody (a thing's own readings) always belongs to it."""
    known = [
        row[0] for row in store.database.rows("SELECT person_id FROM persons ORDER BY person_no")
    ]
    return known if person_id is None else ["", person_id]


def within(scope: PlaceScope, lat: float | None, lon: float | None) -> bool:
    """Does the point lie in the scope's circle? Unknown points do not."""
    if lat is None or lon is None or abs(lat - scope.lat) * METRES_PER_DEGREE > scope.radius_m + 1:
        return False
    return distance_m(lat, lon, scope.lat, scope.lon) <= scope.radius_m


_Point = tuple[float, float | None, float | None]  # time_s, lat, lon


def _fix_positions(store: Store, person_id: str) -> Iterator[_Point]:
    for fix in store.fixes(person_id):
        yield fix.time_s, fix.lat, fix.lon


def _signal_positions(store: Store, person_id: str) -> Iterator[_Point]:
    """Positions that came as two signals, `X.Latitude` and `X.Longitude`; the latest of both counts."""
    latest: dict[tuple[str, str], dict[str, float]] = {}
    for signal in store.signals(person_id):
        thing, _, axis = signal.key.rpartition(".")
        if axis not in ("Latitude", "Longitude") or not isinstance(signal.value, int | float):
            continue
        point = latest.setdefault((thing, signal.source), {})
        point[axis] = signal.value
        yield signal.time_s, point.get("Latitude"), point.get("Longitude")


def _gone(scope: PlaceScope, points: Iterable[_Point]) -> Iterator[tuple[float, bool]]:
    return ((time_s, gone) for time_s, _, gone in _marked(scope, points))


def _marked(scope: PlaceScope, points: Iterable[_Point]) -> Iterator[tuple[float, bool, bool]]:
    """The time of each point, whether it lies in the circle, and whether it goes.

    What comes after a visit goes too while it is still near where one was before it.
    """
    before: _Point | None = None  # the last that stays
    hole = False
    for point in points:
        inside = within(scope, *point[1:])
        hole = inside or (hole and before is not None and _one_stay(scope, before, point))
        if not hole:
            before = point
        yield point[0], inside, hole


def _one_stay(scope: PlaceScope, before: _Point, after: _Point) -> bool:
    """Would a stay near the circle be read into the hole between two points?"""
    (since_s, lat, lon), (until_s, to_lat, to_lon) = before, after
    if lat is None or lon is None or to_lat is None or to_lon is None:
        return False
    near = msgspec.structs.replace(scope, radius_m=scope.radius_m + ENDS_NEAR_M)
    return (
        until_s - since_s >= ENDS_APART_S
        and distance_m(lat, lon, to_lat, to_lon) <= ENDS_M
        and (within(near, lat, lon) or within(near, to_lat, to_lon))
    )


def _visits(person_id: str, positions: Iterable[tuple[float, bool]]) -> Iterator[Span]:
    """Spans of consecutive positions inside, reaching half-way to the neighbours outside."""
    start = end = previous = None
    for time_s, inside in positions:
        if inside:
            if start is None:
                start = max(
                    time_s - SPAN_MARGIN_S,
                    -math.inf if previous is None else (previous + time_s) / 2,
                )
            end = time_s
        elif start is not None and end is not None:
            if time_s > end:
                yield _span(person_id, start, end, (end + time_s) / 2)
                start = end = None
            else:  # the other axis or source of the same instant
                continue
        if not inside:
            previous = time_s
    if start is not None and end is not None:
        yield _span(person_id, start, end, math.inf)


def _span(person_id: str, start: float, end: float, half_s: float) -> Span:
    until_s = max(math.nextafter(end, math.inf), min(end + SPAN_MARGIN_S, half_s))
    return Span(since_s=start, until_s=until_s, person_id=person_id)


def _suggestions_in(store: Store, spans: Sequence[Span]) -> set[str]:
    """Suggestions made in a span, on a trip that was under way in it, or before a calendar entry that lies in it."""
    found: set[str] = set()
    if not spans:
        return found
    for suggestion in _all_suggestions(store, None):
        begin = suggestion.situation.trip_start_s
        first = suggestion.time_s if begin is None else min(begin, suggestion.time_s)
        last = max([suggestion.time_s, *(p.end_s for p in _planned(suggestion))])
        if any(
            span.person_id in ("", suggestion.person)
            and first < span.until_s
            and last >= span.since_s
            for span in spans
        ):
            found.add(suggestion.suggestion_id)
    return found


def _mentions(store: Store, scope: PlaceScope) -> tuple[set[str], set[str]]:
    """Suggestions that name a place or POI in the circle, and the POIs in it that were ever shown."""
    ids: set[str] = set()
    osm_ids: set[str] = set()
    for suggestion in _all_suggestions(store, scope.person_id):
        points = _points(suggestion.situation)
        if any(within(scope, lat, lon) for lat, lon in points):
            ids.add(suggestion.suggestion_id)
        for option in suggestion.options:
            if within(scope, option.poi.lat, option.poi.lon):
                ids.add(suggestion.suggestion_id)
                osm_ids.add(option.poi.osm_id)
    return ids, osm_ids


def _planned(suggestion: Suggestion) -> tuple[Planned, ...]:
    agenda = suggestion.situation.agenda
    return agenda.planned if isinstance(agenda, Agenda) else ()


def _points(value: object) -> Iterator[tuple[float | None, float | None]]:
    """Every point that a record holds, however deep: what is added to a situation is found as well."""
    if isinstance(value, Struct):
        for lat, lon in (("lat", "lon"), ("to_lat", "to_lon")):
            yield getattr(value, lat, None), getattr(value, lon, None)
        for name in value.__struct_fields__:
            yield from _points(getattr(value, name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _points(one)


def _all_suggestions(store: Store, person_id: str | None) -> Iterator[Suggestion]:
    for (body,) in store.database.rows(
        "SELECT body FROM suggestions WHERE ?1 IS NULL OR person_no ="
        " (SELECT person_no FROM persons WHERE person_id = ?1)",
        (person_id,),
    ):
        yield unpack(body, Suggestion)


# --- deleting, inside one transaction ---------------------------------------------------------


class _Deleter:
    """Deletes and counts, by record kind; gathers the seqs of receipts to erase."""

    def __init__(self, store: Store, db: sqlite3.Connection) -> None:
        self.store = store
        self.db = db
        self.counts: dict[str, int] = {}
        self.seqs: set[int] = set()

    def delete(self, table: str, where: str, values: Sequence[object]) -> None:
        """Delete rows of one of our own tables."""
        if table == "registers":
            for key, hlc in self.db.execute(
                f"SELECT key, hlc FROM registers WHERE {where}",  # noqa: S608  (conditions of this module)
                values,
            ).fetchall():
                self.store.bury_register(key, Hlc.decode(hlc))
                self.counts[table] = self.counts.get(table, 0) + 1
            return
        done = self.db.execute(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608  (own tables and conditions)
        if done.rowcount > 0:
            self.counts[table] = self.counts.get(table, 0) + done.rowcount

    def erase(self, where: str, values: Sequence[object]) -> None:
        """Note the receipts whose bodies go."""
        self.seqs.update(
            seq
            for (seq,) in self.db.execute(f"SELECT seq FROM bodies WHERE {where}", values)  # noqa: S608  (same)
        )


def _delete(
    store: Store, chain: ReceiptChain, work: _Work, now_s: float
) -> tuple[dict[str, int], tuple[int, ...]]:
    order = work.order
    with store.database.transaction() as db:
        todo = _Deleter(store, db)
        numbers: dict[str, int] = dict(db.execute("SELECT person_id, person_no FROM persons"))
        for suggestion_id in order.suggestions:
            for table in ("suggestions", "answers", "events"):
                todo.delete(table, "suggestion_id = ?", (suggestion_id,))
            todo.erase("suggestion_id = ?", (suggestion_id,))
        of_history = bool(order.spans) or work.place is not None
        named = visited(db) if of_history else {}
        for span in order.spans:
            _delete_span(todo, span, numbers, fixes=work.place is None)
        if work.place is not None:
            _delete_place(todo, work.place, work.osm_ids, numbers)
            for person_id, time_s in work.ends:
                if person_id in numbers:
                    todo.delete(
                        "fixes", "person_no = ? AND time_s = ?", (numbers[person_id], time_s)
                    )
        if of_history:
            _delete_words(todo, named, work, numbers)
        gone = [numbers[one] for one in order.persons if numbers.get(one)]
        for number in gone:
            for table in _OWNED:
                todo.delete(table, "person_no = ?", (number,))
            todo.erase("person_no = ?", (number,))
        # how a command ended may speak of anything
        db.execute("UPDATE commands SET reply = x'' WHERE reply IS NOT NULL")
        if order.spans or order.suggestions or work.place is not None:
            _drop_models(todo, order, work, numbers)
        seqs = tuple(sorted(todo.seqs))
        chain.erase(seqs, now_s)
        if seqs:
            todo.counts["receipts"] = len(seqs)
        for number in gone:
            _forget_name(todo, number)
        db.execute("DELETE FROM sources WHERE source_no NOT IN (SELECT source_no FROM fixes)")
    return dict(sorted(todo.counts.items())), seqs


def _delete_span(todo: _Deleter, span: Span, numbers: dict[str, int], *, fixes: bool) -> None:
    if span.person_id and span.person_id not in numbers:
        mine: list[int] = []  # a person this node never heard of: only a thing's own readings
    elif span.person_id:
        mine = [numbers[span.person_id]]
    else:
        mine = sorted(numbers.values())
    both = (span.since_s, span.until_s)
    for number in mine:
        tables = ("fixes", "suggestions", "answers") if fixes else ("suggestions", "answers")
        for table in tables:
            todo.delete(table, "person_no = ? AND time_s >= ? AND time_s < ?", (number, *both))
        todo.erase("person_no = ? AND time_s >= ? AND time_s < ?", (number, *both))
        _delete_planned(todo, number, span, visited=not fixes)
    for number in sorted({0, *mine}):
        for table in ("signals", "registers", "events"):
            todo.delete(table, "person_no = ? AND time_s >= ? AND time_s < ?", (number, *both))


def _delete_planned(todo: _Deleter, number: int, span: Span, *, visited: bool) -> None:
    """Calendar entries that lie in a span. `visited`: it is a visit at a place to forget.

    Then it is those of which nobody can tell where they were: the others go by their coordinates.
    """
    for uid, occurs_s, lat, body in todo.db.execute(
        "SELECT uid, occurs_s, lat, body FROM calendar"
        " WHERE person_no = ? AND start_s < ? AND end_s >= ? AND (end_s > ? OR start_s = end_s)",
        (number, span.until_s, span.since_s, span.since_s),
    ).fetchall():
        if visited and (lat is not None or unpack(body, CalendarEntry).all_day):
            continue
        todo.delete(
            "calendar", "person_no = ? AND uid = ? AND occurs_s = ?", (number, uid, occurs_s)
        )


def _delete_place(
    todo: _Deleter, scope: PlaceScope, osm_ids: Sequence[str], numbers: dict[str, int]
) -> None:
    owners = sorted(numbers.values())
    if scope.person_id is not None:
        owners = [0, *([numbers[scope.person_id]] if scope.person_id in numbers else [])]
    keys = {"fixes": "time_s", "registers": "key", "answers": "answer_id", "events": "event_id"}
    for number in owners:
        for table, key in keys.items():
            margin = (scope.radius_m + 1) / METRES_PER_DEGREE
            hits = [
                row[0]
                for row in todo.db.execute(
                    f"SELECT {key}, lat, lon FROM {table} WHERE person_no = ? AND lat BETWEEN ? AND ?",  # noqa: S608  (fixed names, above)
                    (number, scope.lat - margin, scope.lat + margin),
                )
                if within(scope, row[1], row[2])
            ]
            for hit in hits:
                todo.delete(table, f"person_no = ? AND {key} = ?", (number, hit))
        for uid, occurs_s, lat, lon in todo.db.execute(
            "SELECT uid, occurs_s, lat, lon FROM calendar WHERE person_no = ? AND lat IS NOT NULL",
            (number,),
        ).fetchall():
            if within(scope, lat, lon):
                todo.delete(
                    "calendar",
                    "person_no = ? AND uid = ? AND occurs_s = ?",
                    (number, uid, occurs_s),
                )
        for osm_id in osm_ids:
            todo.delete("followed", "person_no = ? AND osm_id = ?", (number, osm_id))
    for osm_id in osm_ids:
        todo.db.execute(
            "DELETE FROM serials WHERE osm_id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM followed WHERE osm_id = ?1)",
            (osm_id,),
        )


def _delete_words(todo: _Deleter, named: Visited, work: _Work, numbers: dict[str, int]) -> None:
    """Words of places that were only in what is gone go along; the others lose the moment when they were said."""
    times = [
        (numbers.get(span.person_id, 0) if span.person_id else None, span.since_s, span.until_s)
        for span in work.order.spans
    ]
    scope = work.place
    whose = None if scope is None or scope.person_id is None else numbers.get(scope.person_id, 0)
    gone = drop_words(
        todo.db,
        named,
        times,
        lambda number, lat, lon: (
            scope is not None and whose in (None, number) and within(scope, lat, lon)
        ),
    )
    if gone:
        todo.counts["place_words"] = todo.counts.get("place_words", 0) + gone


def _drop_models(todo: _Deleter, order: ForgetOrder, work: _Work, numbers: dict[str, int]) -> None:
    """Snapshots of everybody concerned go: they are learned again from what remains."""
    scope = work.place
    if scope is not None:
        people = None if scope.person_id is None else {scope.person_id}
    else:
        named = {span.person_id for span in order.spans}
        people = None if "" in named else named
    for person_id in sorted(numbers if people is None else people):
        if person_id in numbers:
            todo.delete("models", "person_no = ?", (numbers[person_id],))


def _forget_name(todo: _Deleter, number: int) -> None:
    """The person's row goes, and the name out of file names that others still need."""
    row = todo.db.execute("SELECT name_fold FROM persons WHERE person_no = ?", (number,)).fetchone()
    todo.delete("persons", "person_no = ?", (number,))
    if row is None or row[0] is None:
        return
    for source_no, source in todo.db.execute("SELECT source_no, source FROM sources").fetchall():
        if row[0] in source.casefold():
            todo.db.execute(
                "UPDATE sources SET source = ? WHERE source_no = ?",
                (f"a file whose name was forgotten ({source_no})", source_no),
            )
