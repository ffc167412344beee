"""Receipts: everything somebody could do to them behind the node's back is named; untouched ones verify."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.app.offline import opened
from hearthway.app.paths import NodePaths
from hearthway.records.receipts import Receipt

COLUMNS = "kind, time_s, commitment, erases, prev_hash, hash, signature"


def _run(data: Path, *statements: str) -> None:
    """Edit the phone's file as somebody with the file in hand would."""
    with closing(sqlite3.connect(data / "phone" / "node.db")) as db, db:
        for statement in statements:
            assert db.execute(statement).rowcount > 0, statement


def _write(data: Path, change: Callable[[Receipt], Receipt]) -> None:
    """One more receipt, by the node's own code and key."""
    with opened(NodePaths(data / "phone")) as (_, chain):
        last = next(receipt for _, receipt in reversed(chain.receipts()) if receipt is not None)
        chain.append(change(last))


def _tampered_byte(data: Path) -> None:
    _run(data, "UPDATE bodies SET body = CAST(body || x'00' AS BLOB) WHERE seq = 1")


def _tampered_time(data: Path) -> None:
    _run(data, "UPDATE chain SET time_s = time_s + 1 WHERE seq = 1")


def _removed_last(data: Path) -> None:
    _run(data, "DELETE FROM bodies WHERE seq = 1", "DELETE FROM chain WHERE seq = 1")


def _removed_body(data: Path) -> None:
    _run(data, "DELETE FROM bodies WHERE seq = 1")


def _reordered(data: Path) -> None:
    _write(data, lambda last: replace(last, suggestion_id="second"))
    for table in ("chain", "bodies"):
        _run(
            data,
            f"UPDATE {table} SET seq = -1 WHERE seq = 1",
            f"UPDATE {table} SET seq = 1 WHERE seq = 2",
            f"UPDATE {table} SET seq = 2 WHERE seq = -1",
        )


def _signed_anew(data: Path, *, own_key: bool) -> None:
    """The whole chain written again with another content: with the stolen key, or with one of their own."""
    with opened(NodePaths(data / "phone")) as (_, chain):
        old = [receipt for _, receipt in chain.receipts() if receipt is not None]
    _run(data, "DELETE FROM bodies", "DELETE FROM chain")
    if own_key:
        (data / "phone" / "keys" / "receipt.key").unlink()
    with opened(NodePaths(data / "phone")) as (_, chain):
        for receipt in old:
            chain.append(replace(receipt, crossings=()))


def _signed_by_the_stolen_key(data: Path) -> None:
    _signed_anew(data, own_key=False)


def _signed_by_another_key(data: Path) -> None:
    _signed_anew(data, own_key=True)


def _signed_by_another_witness(data: Path) -> None:
    """Also the witness's word is thrown away on the phone; the home still knows."""
    _signed_anew(data, own_key=True)
    _run(data, "DELETE FROM countersigns", "DELETE FROM enrolments")
    (data / "phone" / "keys" / "witness.pub").unlink()


def test_the_control_verifies(driven: Any, hearthway: Callable[..., Any]) -> None:
    done = hearthway("receipts", "verify", "--data", str(driven.data))
    assert done.code == 0, done.out + done.err
    for node in ("phone", "car", "home"):
        assert f"{node:8} verified: 1 receipt, witnessed up to entry 1" in done.out
    listed = hearthway("receipts", "list", "--data", str(driven.data))
    wanted = driven.result["suggestions"][0]["suggestion_id"]
    assert listed.out.count(wanted) == 3


@pytest.mark.parametrize(
    "tamper",
    [
        _tampered_byte,
        _tampered_time,
        _removed_last,
        _removed_body,
        _reordered,
        _signed_by_the_stolen_key,
        _signed_by_another_key,
        _signed_by_another_witness,
    ],
)
def test_tampering_is_named(
    copied: Any, hearthway: Callable[..., Any], tamper: Callable[[Path], None], tmp_path: Path
) -> None:
    """Exit code 1; the phone is named with what is wrong; car and home still verify."""
    tamper(copied.data)
    done = hearthway("receipts", "verify", "--data", str(copied.data))
    done.refuses("phone", "NOT VERIFIED", code=1)
    assert "car      verified" in done.out
    assert "home     verified" in done.out
    file = tmp_path / "verify.json"
    hearthway("receipts", "verify", "--data", str(copied.data), "--json", str(file))
    bad = [row for row in json.loads(file.read_bytes()) if not row["ok"]]
    assert [row["report"]["node"] for row in bad] == ["phone"]
    assert bad[0]["report"]["problems"][0]["words"]


@pytest.mark.parametrize("damage", [b"", b"not a database at all", None])
def test_a_damaged_file_is_a_sentence(
    copied: Any, hearthway: Callable[..., Any], damage: bytes | None
) -> None:
    """Emptied, overwritten, or cut in half."""
    path = copied.data / "phone" / "node.db"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage is None else damage)
    done = hearthway("receipts", "verify", "--data", str(copied.data))
    done.refuses(code=1)
