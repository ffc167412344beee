"""Everything this node holds about a person, as JSON: one reader for `export` and for a long history's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from hearthway.records.errors import InputError
from hearthway.records.kinds import EXPORT_VERSION

from .calendar import entries
from .forget import pending
from .place_words import place_words
from .receipts import ReceiptChain
from .store import Store

_JSON = msgspec.json.Encoder(order="deterministic")


def sections(
    store: Store, chain: ReceiptChain, person_id: str
) -> list[tuple[str, Callable[[], Iterable[object]]]]:
    """What is held, by record kind; each is read only when it is called."""
    rows = store.database.rows

    def sources() -> Iterator[object]:
        for source, count in rows(
            "SELECT s.source, count(*) FROM fixes f JOIN sources s USING (source_no)"
            " WHERE f.person_no = (SELECT person_no FROM persons WHERE person_id = ?)"
            " GROUP BY s.source ORDER BY s.source",
            (person_id,),
        ):
            yield {"source": source, "fixes": count}

    def followed() -> Iterator[object]:
        for one in store.followed(person_id):
            yield {"venue": one, "last_serial": store.last_serial(one.osm_id)}

    def registers() -> Iterator[object]:
        return (one for one in store.registers() if one.person_id == person_id)

    def events() -> Iterator[object]:
        for (kind,) in rows("SELECT DISTINCT kind FROM events ORDER BY kind"):
            yield from store.events(kind, person_id)

    def models() -> Iterator[object]:
        for (kind,) in rows("SELECT DISTINCT kind FROM models ORDER BY kind"):
            model = store.model(person_id, kind)
            if model is not None:
                yield model

    def receipts() -> Iterator[object]:
        for entry, receipt in chain.receipts():
            if receipt is not None and receipt.person == person_id:
                yield {"seq": entry.seq, "receipt": receipt}

    def orders() -> Iterator[object]:
        for one in pending(store):
            spans = any(span.person_id in ("", person_id) for span in one.order.spans)
            if spans or person_id in one.order.persons:
                yield one

    return [
        ("sources", sources),
        ("fixes", lambda: store.fixes(person_id)),
        ("signals", lambda: store.signals(person_id)),
        ("registers", registers),
        ("suggestions", lambda: store.suggestions(person_id)),
        ("answers", lambda: store.answers(person_id)),
        ("events", events),
        ("models", models),
        ("followed", followed),
        ("calendar", lambda: entries(store, person_id, off=None)),
        ("place_words", lambda: place_words(store, person_id)),
        ("receipts", receipts),
        ("forget_orders", orders),
    ]


def export(store: Store, chain: ReceiptChain, person_id: str) -> dict[str, Any]:
    """Everything held about a person, as plain JSON values (bytes in base64); InputError on a stranger."""
    found: dict[str, Any] = _opening(store, person_id)
    for name, read in sections(store, chain, person_id):
        found[name] = [msgspec.json.decode(_JSON.encode(one)) for one in read()]
    return found


def write_export(store: Store, chain: ReceiptChain, person_id: str, path: Path) -> dict[str, int]:
    """The same, streamed to a file (0600) that appears only when it is whole; gives the count by kind."""
    opening = _opening(store, person_id)
    counts: dict[str, int] = {}
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(_JSON.encode(opening)[:-1])
                for name, read in sections(store, chain, person_id):
                    file.write(b',\n"' + name.encode() + b'":[')
                    count = 0
                    for one in read():
                        file.write(b",\n" if count else b"\n")
                        file.write(_JSON.encode(one))
                        count += 1
                    file.write(b"]")
                    counts[name] = count
                file.write(b"}\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as why:
        raise InputError(
            f"{path} cannot be written: {why.strerror or why}.", "Choose another file or directory."
        ) from None
    return counts


def _opening(store: Store, person_id: str) -> dict[str, Any]:
    person = store.person(person_id)
    return {
        "format": f"hearthway-export-{EXPORT_VERSION}",
        "node": store.node_id,
        "person": msgspec.to_builtins(person),
    }
