"""Retention: what the owner's rules keep for so many days only is really deleted, as if it had been forgotten.

Rows go in one transaction, receipts keep their chain and lose their bodies, what was learned is dropped so that
it is learned again from the rest, and the file's free pages are wiped. A wipe that could not be done is owed.
"""

from __future__ import annotations

import sqlite3
from math import inf

from hearthway.mesh.state.hlc import Hlc
from hearthway.mesh.state.place_words import drop_words, visited
from hearthway.mesh.state.receipts import ReceiptChain
from hearthway.mesh.state.store import Store
from hearthway.records.errors import StoreError

from .rules import Rules

DAY_S = 86_400.0
_OWED = "retention-wipe"
_LEARNED_UNDER = "learned-under"
_TABLES = {
    "fix": "fixes",
    "signal": "signals",
    "suggestion": "suggestions",
    "answer": "answers",
    "event": "events",
    "calendar": "calendar",
}


def sweep(store: Store, chain: ReceiptChain, rules: Rules, now_s: float) -> dict[str, int]:
    """Delete what is older than the rules keep it at `now_s`; how many records of each table went."""
    counts: dict[str, int] = {}
    with store.database.transaction() as db:
        kept_days = _days_of_kinds(rules)
        named = visited(db) if "fix" in kept_days else {}
        for kind, days in sorted(kept_days.items()):
            before_s = now_s - days * DAY_S
            if kind == "receipt":
                _erase(db, chain, before_s, now_s, counts)
            else:
                column = "end_s" if kind == "calendar" else "time_s"
                _delete(db, _TABLES[kind], f"{column} < ?", (before_s,), counts)
        for key in _keys(db):
            kept = rules.kept(key=key)
            if kept is not None:
                values = (key, now_s - kept.days * DAY_S)
                _delete(db, "signals", "key = ? AND time_s < ?", values, counts)
                _bury(store, db, values, counts)
        if "fixes" in counts:  # what the owner said of places that are gone goes along
            gone = drop_words(db, named, [(None, -inf, now_s - kept_days["fix"] * DAY_S)])
            counts |= {"place_words": gone} if gone else {}
        if counts:
            _after(store, db)
    if _owed(store):
        _wipe(store)
    return dict(sorted(counts.items()))


def learned_under(store: Store, rules_digest: str) -> bool:
    """Were the models of this store learned under these rules? If not they are dropped, to be learned anew."""
    with store.database.transaction() as db:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (_LEARNED_UNDER,)).fetchone()
        if row is not None and row[0] == rules_digest.encode():
            return True
        db.execute("DELETE FROM models")
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LEARNED_UNDER, rules_digest.encode())
        )
        store.changed()  # what is being learned under the rules of before is not kept
    return False


def _days_of_kinds(rules: Rules) -> dict[str, int]:
    days: dict[str, int] = {}
    for rule in rules.keep:
        for kind in rule.kinds:
            days[kind] = min(rule.days, days.get(kind, rule.days))
    return days


def _keys(db: sqlite3.Connection) -> list[str]:
    return [
        row[0]
        for row in db.execute(
            "SELECT key FROM signals UNION SELECT key FROM registers WHERE time_s IS NOT NULL"
            " ORDER BY key"
        )
    ]


def _delete(
    db: sqlite3.Connection,
    table: str,
    where: str,
    values: tuple[object, ...],
    counts: dict[str, int],
) -> None:
    done = db.execute(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608  (own tables and conditions)
    if done.rowcount > 0:
        counts[table] = counts.get(table, 0) + done.rowcount


def _bury(
    store: Store, db: sqlite3.Connection, values: tuple[str, float], counts: dict[str, int]
) -> None:
    """A latest value goes as a forgotten one does: no replica brings it back."""
    row = db.execute("SELECT hlc FROM registers WHERE key = ? AND time_s < ?", values).fetchone()
    if row is not None:
        store.bury_register(values[0], Hlc.decode(row[0]), told=False)
        counts["registers"] = counts.get("registers", 0) + 1


def _erase(
    db: sqlite3.Connection,
    chain: ReceiptChain,
    before_s: float,
    now_s: float,
    counts: dict[str, int],
) -> None:
    seqs = [row[0] for row in db.execute("SELECT seq FROM bodies WHERE time_s < ?", (before_s,))]
    if seqs:
        chain.erase(seqs, now_s)
        counts["receipts"] = len(seqs)


def _after(store: Store, db: sqlite3.Connection) -> None:
    """What was learned goes, every process hears of it, and the wipe is owed from here on."""
    db.execute("DELETE FROM models")
    db.execute("DELETE FROM sources WHERE source_no NOT IN (SELECT source_no FROM fixes)")
    db.execute(
        "INSERT OR REPLACE INTO meta VALUES ('generation', ?)",
        ((store.generation() + 1).to_bytes(8, "big"),),
    )
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, x'01')", (_OWED,))


def _owed(store: Store) -> bool:
    return store.database.row("SELECT 1 FROM meta WHERE key = ?", (_OWED,)) is not None


def _wipe(store: Store) -> None:
    try:
        store.database.scrub()
    except StoreError:  # busy or no space: deleted pages are zeroed already; the next sweep wipes
        return
    with store.database.transaction() as db:
        db.execute("DELETE FROM meta WHERE key = ?", (_OWED,))
