"""The receipt chain: entries hold salted commitments, bodies stand beside them and can be erased.

Trust starts outside the file: the witness (home) bound the node's receipt key at pairing and countersigns heads,
so neither a cut, nor a rewritten history, nor a wholly re-signed file passes for the real one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.trust.signing import public_bytes, signed_by
from hearthway.records.chain import (
    ERASED,
    Countersign,
    Enrolment,
    Entry,
    Head,
    Problem,
    VerifyReport,
)
from hearthway.records.codec import pack, unpack
from hearthway.records.count import count_of
from hearthway.records.errors import ReceiptError, StoreError, WireError
from hearthway.records.receipts import Measured, Receipt

from .store import Store

# one prefix a purpose, so that a signature for one can never pass as a signature for another
_ENTRY = b"hearthway-receipt-entry-1\x00"
_HEAD = b"hearthway-receipt-head-1\x00"
_ENROL = b"hearthway-receipt-enrol-1\x00"
_SALT_BYTES = 16
_COLUMNS = "seq, kind, time_s, commitment, erases, prev_hash, hash, signature"


def commitment(salt: bytes, body: bytes) -> bytes:
    """SHA-256 over salt and body: without the salt, a body cannot be guessed from it."""
    return hashlib.sha256(b"hearthway-receipt-body-1\x00" + salt + body).digest()


def comparable(receipt: Receipt) -> bytes:
    """The canonical bytes without what this machine and run measured: equal for equal replays."""
    return pack(msgspec.structs.replace(receipt, measured=Measured()))


def genesis(node: str) -> bytes:
    """What the first entry points at: a chain begins with its node's name."""
    return hashlib.sha256(b"hearthway-receipt-chain-1\x00" + node.encode()).digest()


def _entry_hash(
    seq: int, kind: str, time_s: float, commit: bytes, erases: Sequence[int], prev_hash: bytes
) -> bytes:
    return hashlib.sha256(
        _ENTRY + pack((seq, kind, time_s, commit, tuple(erases), prev_hash))
    ).digest()


def _head_bytes(node: str, seq: int, head: bytes, time_s: float) -> bytes:
    return _HEAD + pack((node, seq, head, time_s))


class ReceiptChain:
    """One node's append-only chain. `key` signs it; its public half must be enrolled with the witness."""

    def __init__(self, store: Store, key: Ed25519PrivateKey) -> None:
        self.store = store
        self.node = store.node_id
        self._key = key

    @property
    def public_key(self) -> bytes:
        """Raw public key, to be enrolled at pairing."""
        return public_bytes(self._key)

    def sign(self, data: bytes) -> bytes:
        """Ed25519 by the node's receipt key, for what the node states beside its chain."""
        return self._key.sign(data)

    def append(self, receipt: Receipt) -> Entry:
        """Commit to a receipt and keep it beside the chain; on disk when this returns."""
        body, salt = pack(receipt), secrets.token_bytes(_SALT_BYTES)
        with self.store.database.transaction() as db:
            entry = self._append("receipt", receipt.time_s, commitment(salt, body), ())
            db.execute(
                "INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)",
                (
                    entry.seq,
                    receipt.suggestion_id,
                    self.store.person_no(receipt.person),
                    receipt.time_s,
                    salt,
                    body,
                ),
            )
        return entry

    def erase(self, seqs: Iterable[int], time_s: float) -> Entry | None:
        """Erase bodies and say so in the chain, both or neither; None when none of them was left."""
        with self.store.database.transaction() as db:
            wanted = sorted(set(seqs))
            left = [
                seq
                for seq in wanted
                if db.execute("SELECT 1 FROM bodies WHERE seq = ?", (seq,)).fetchone()
            ]
            if not left:
                return None
            db.executemany("DELETE FROM bodies WHERE seq = ?", [(seq,) for seq in left])
            return self._append("erasure", time_s, b"", tuple(left))

    def _append(self, kind: str, time_s: float, commit: bytes, erases: tuple[int, ...]) -> Entry:
        head = self.head()
        seq, prev_hash = head.seq + 1, head.hash
        entry_hash = _entry_hash(seq, kind, time_s, commit, erases, prev_hash)
        entry = Entry(
            seq=seq,
            kind=kind,
            time_s=time_s,
            commitment=commit,
            erases=erases,
            prev_hash=prev_hash,
            hash=entry_hash,
            signature=self._key.sign(_ENTRY + entry_hash),
        )
        with self.store.database.transaction() as db:
            db.execute(
                "INSERT INTO chain VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (seq, kind, time_s, commit, pack(erases), prev_hash, entry_hash, entry.signature),
            )
        return entry

    def head(self) -> Head:
        """The end of the chain; seq 0 where nothing was written yet."""
        row = self.store.database.row(
            "SELECT seq, hash, signature FROM chain ORDER BY seq DESC LIMIT 1"
        )
        if row is None:
            return Head(node=self.node, seq=0, hash=genesis(self.node), signature=b"")
        return Head(node=self.node, seq=row[0], hash=row[1], signature=row[2])

    def receipt(self, suggestion_id: str) -> Receipt:
        """The receipt of a suggestion (the newest); ReceiptError where there is none or it was erased."""
        row = self.store.database.row(
            "SELECT body FROM bodies WHERE suggestion_id = ? ORDER BY seq DESC", (suggestion_id,)
        )
        if row is None:
            raise ReceiptError(
                f"This node holds no receipt of {suggestion_id}: never written here, or {ERASED}.",
                "`hearthway receipts list` lists those there are.",
            )
        return unpack(row[0], Receipt)

    def has(self, suggestion_id: str) -> bool:
        """Is there a receipt of it here? (An erased one is not found: its suggestion's id went with it.)"""
        return (
            self.store.database.row(
                "SELECT 1 FROM bodies WHERE suggestion_id = ?", (suggestion_id,)
            )
            is not None
        )

    def receipts(self) -> list[tuple[Entry, Receipt | None]]:
        """The chain's receipts, oldest first; None reads "erased by the owner" if `verify` is content."""
        found: list[tuple[Entry, Receipt | None]] = []
        for row in self.store.database.rows(
            "SELECT c.seq, c.kind, c.time_s, c.commitment, c.erases, c.prev_hash, c.hash,"
            " c.signature, b.body FROM chain c LEFT JOIN bodies b USING (seq)"
            " WHERE c.kind = 'receipt' ORDER BY c.seq"
        ):
            found.append((_entry(row[:8]), None if row[8] is None else unpack(row[8], Receipt)))  # noqa: PERF401  (a readable loop)
        return found

    def verify(
        self,
        *,
        witness_key: bytes | None = None,
        node_key: bytes | None = None,
        witness_heads: Iterable[Countersign] = (),
    ) -> VerifyReport:
        """`verify_chain` over this node's own file; without a witness, against the node's own key."""
        if witness_key is None and node_key is None:
            node_key = self.public_key
        return verify_chain(
            self.store, witness_key=witness_key, node_key=node_key, witness_heads=witness_heads
        )


def verify_chain(
    store: Store,
    *,
    witness_key: bytes | None,
    node_key: bytes | None = None,
    witness_heads: Iterable[Countersign] = (),
) -> VerifyReport:
    """Check every byte of the chain in `store` against keys and heads that come from outside it.

    `witness_key` is the trusted one; `node_key` the receipt key enrolled at pairing (by default the enrolment the
    witness signed); `witness_heads` the heads the witness keeps (the file's own copies are added). Without a witness
    no head is trusted: a cut, or a rewrite by the node's own key, passes, and `witnessed_to` is 0.
    """
    try:
        with store.database.snapshot():  # the node may append while another process verifies
            return _verify(store, witness_key, node_key, list(witness_heads))
    except (StoreError, WireError) as why:
        found = Problem(code="unreadable", seq=0, words=f"The chain cannot be read: {why.message}")
        return VerifyReport(
            node=store.node_id, entries=0, receipts=0, erased=0, witnessed_to=0, problems=(found,)
        )


def _verify(
    store: Store,
    witness_key: bytes | None,
    node_key: bytes | None,
    witness_heads: list[Countersign],
) -> VerifyReport:
    problems: list[Problem] = []

    def problem(code: str, seq: int, words: str) -> None:
        problems.append(Problem(code=code, seq=seq, words=words))

    if node_key is None:
        bound = enrolment(store, store.node_id)
        if bound is None or witness_key is None or not check_enrolment(bound, witness_key):
            problem("not-enrolled", 0, "No witness we trust bound a receipt key to this node.")
        else:
            node_key = bound.key
    hashes: dict[int, bytes] = {}
    commitments: dict[int, bytes] = {}
    erased: dict[int, int] = {}
    foreign = 0
    last_seq, last_hash = 0, genesis(store.node_id)
    for row in store.database.rows(f"SELECT {_COLUMNS} FROM chain ORDER BY seq"):  # noqa: S608  (fixed columns)
        try:
            entry = _entry(row)
        except WireError:
            problem("tampered", int(row[0]), f"Entry {row[0]} does not decode.")
            last_seq, last_hash = int(row[0]), bytes(row[6])
            continue
        seq = entry.seq
        if seq != last_seq + 1:
            problem(
                "missing", seq, f"Between entries {last_seq} and {seq} something was taken out."
            )
        elif entry.prev_hash != last_hash:
            problem("order", seq, f"Entry {seq} does not follow the one before it: order changed.")
        content = _entry_hash(
            seq, entry.kind, entry.time_s, entry.commitment, entry.erases, entry.prev_hash
        )
        if content != entry.hash:
            problem("tampered", seq, f"Entry {seq} was changed after it was written.")
        elif node_key is not None and not signed_by(node_key, entry.signature, _ENTRY + entry.hash):
            foreign += 1
            problem("signature", seq, f"Entry {seq} is not signed by this node's enrolled key.")
        hashes[seq] = entry.hash
        if entry.kind == "receipt":
            commitments[seq] = entry.commitment
        elif entry.kind == "erasure":
            erased.update((one, seq) for one in entry.erases if one < seq)
        else:
            problem("tampered", seq, f"Entry {seq} is of an unknown kind.")
        last_seq, last_hash = seq, entry.hash
    if foreign and foreign == len(hashes):
        problem("re-signed", 0, "The whole chain is signed by a key that was never enrolled.")

    problems += _bodies(store, commitments, erased)
    witnessed_to, found = _heads(store, hashes, witness_key, witness_heads)
    problems += found
    return VerifyReport(
        node=store.node_id,
        entries=len(hashes),
        receipts=len(commitments),
        erased=sum(1 for seq in erased if seq in commitments),
        witnessed_to=witnessed_to,
        problems=tuple(problems),
    )


def _bodies(store: Store, commitments: dict[int, bytes], erased: dict[int, int]) -> list[Problem]:
    """Every body is either there and as committed, or named by an erasure."""
    problems: list[Problem] = []
    left = dict(commitments)
    for seq, salt, body, *labels in store.database.rows(
        "SELECT b.seq, b.salt, b.body, b.suggestion_id, b.time_s, p.person_id"
        " FROM bodies b LEFT JOIN persons p USING (person_no) ORDER BY b.seq"
    ):
        expected = left.pop(seq, None)
        if expected is None:
            words = f"Body {seq} belongs to no entry of the chain."
            problems.append(Problem(code="foreign-body", seq=seq, words=words))
        elif seq in erased:
            words = f"Body {seq} is back although entry {erased[seq]} says it was erased."
            problems.append(Problem(code="foreign-body", seq=seq, words=words))
        elif commitment(salt, body) != expected:
            words = f"The receipt of entry {seq} was changed after it was written."
            problems.append(Problem(code="tampered", seq=seq, words=words))
        else:
            receipt = unpack(body, Receipt)
            if [receipt.suggestion_id, receipt.time_s, receipt.person] != labels:
                words = f"The label of receipt {seq} does not fit its content."
                problems.append(Problem(code="tampered", seq=seq, words=words))
    for seq in left:
        if seq not in erased:
            words = f"The receipt of entry {seq} is gone, and no entry says the owner erased it."
            problems.append(Problem(code="missing", seq=seq, words=words))
    return problems


def _heads(
    store: Store,
    hashes: dict[int, bytes],
    witness_key: bytes | None,
    witness_heads: Iterable[Countersign],
) -> tuple[int, list[Problem]]:
    """Highest witnessed seq, and every trusted head the chain contradicts."""
    problems: list[Problem] = []
    witnessed_to = 0
    if witness_key is None:
        return witnessed_to, problems
    heads = [*countersigns(store, store.node_id), *witness_heads]
    for head in sorted(heads, key=lambda one: (one.seq, one.time_s, one.hash)):
        if head.node != store.node_id:
            continue
        if head.witness != witness_key or not check_countersign(head):
            words = f"The countersignature of head {head.seq} is not the witness's."
            problems.append(Problem(code="witness", seq=head.seq, words=words))
        elif head.seq and head.seq not in hashes:
            are = "is" if len(hashes) == 1 else "are"
            words = f"The witness saw {count_of(head.seq, 'entry', 'entries')}, here {are} {len(hashes)}: the end was removed."
            problems.append(Problem(code="truncated", seq=head.seq, words=words))
        elif head.seq and hashes[head.seq] != head.hash:
            words = (
                f"Entry {head.seq} is another one than the witness saw: the chain was rewritten."
            )
            problems.append(Problem(code="rewritten", seq=head.seq, words=words))
        else:
            witnessed_to = max(witnessed_to, head.seq)
    return witnessed_to, problems


def _entry(row: Sequence[Any]) -> Entry:
    try:
        fields = dict(zip(Entry.__struct_fields__, row, strict=True))
        fields["erases"] = unpack(fields["erases"], tuple[int, ...])
        return msgspec.convert(fields, Entry)
    except (msgspec.ValidationError, TypeError):
        raise WireError("An entry of the chain does not decode.", "") from None


# --- the witness ------------------------------------------------------------------------------


def enrol(witness: Ed25519PrivateKey, node: str, key: bytes, time_s: float) -> Enrolment:
    """The witness's word at pairing that `key` is the receipt key of `node`."""
    return Enrolment(
        node=node,
        key=key,
        time_s=time_s,
        witness=public_bytes(witness),
        signature=witness.sign(_ENROL + pack((node, key, time_s))),
    )


def check_enrolment(enrolment: Enrolment, witness_key: bytes) -> bool:
    """Is this the trusted witness's word, unchanged?"""
    data = _ENROL + pack((enrolment.node, enrolment.key, enrolment.time_s))
    return enrolment.witness == witness_key and signed_by(witness_key, enrolment.signature, data)


def keep_enrolment(store: Store, enrolment: Enrolment) -> None:
    """Keep an enrolment; ReceiptError when the node is bound to another key already."""
    with store.database.transaction() as db:
        row = db.execute("SELECT body FROM enrolments WHERE node = ?", (enrolment.node,)).fetchone()
        if row is not None and unpack(row[0], Enrolment).key != enrolment.key:
            raise ReceiptError(
                f"{enrolment.node} is enrolled with another receipt key.",
                "Revoke the node and pair it again if its key was really lost.",
            )
        db.execute(
            "INSERT OR REPLACE INTO enrolments VALUES (?, ?)", (enrolment.node, pack(enrolment))
        )


def enrolment(store: Store, node: str) -> Enrolment | None:
    """The enrolment of a node, as kept here; check it before trusting it."""
    row = store.database.row("SELECT body FROM enrolments WHERE node = ?", (node,))
    return None if row is None else unpack(row[0], Enrolment)


def drop_departed(store: Store, stay: Container[str]) -> list[str]:
    """The witness parts with the keys and heads of all nodes but those that stay; their ids.

    Whoever is let in under such a name later begins a chain of its own. What a node keeps itself still verifies.
    """
    with store.database.transaction() as db:
        known = db.execute("SELECT node FROM enrolments ORDER BY node").fetchall()
        gone = [node for (node,) in known if node not in stay]
        for table in ("enrolments", "countersigns"):
            db.executemany(f"DELETE FROM {table} WHERE node = ?", [(node,) for node in gone])  # noqa: S608  (own tables)
    return gone


def countersign(store: Store, head: Head, witness: Ed25519PrivateKey, now_s: float) -> Countersign:
    """The witness signs a head it saw and keeps it; ReceiptError when the head contradicts an earlier one.

    The node must be enrolled in `store`, the head signed by its enrolled key, and no shorter than before.
    """
    known = enrolment(store, head.node)
    if known is None or not check_enrolment(known, public_bytes(witness)):
        raise ReceiptError(f"{head.node} has no enrolled receipt key.", "Pair it with the home.")
    if head.seq == 0 and head.hash != genesis(head.node):
        raise ReceiptError(f"The empty chain of {head.node} is not its own.", "Pair it again.")
    if head.seq and not signed_by(known.key, head.signature, _ENTRY + head.hash):
        raise ReceiptError(
            f"The head of {head.node} is not signed by its enrolled key.",
            f"Run `hearthway receipts verify` on {head.node}.",
        )
    last = _last_countersign(store, head.node)
    if last is not None and (
        head.seq < last.seq or (head.seq == last.seq and head.hash != last.hash)
    ):
        raise ReceiptError(
            f"The chain of {head.node} ended at {last.seq} before and ends at {head.seq} now: it was changed.",
            f"Run `hearthway receipts verify` on {head.node}.",
        )
    if last is not None and head.seq == last.seq:
        return last
    made = Countersign(
        node=head.node,
        seq=head.seq,
        hash=head.hash,
        time_s=now_s,
        witness=public_bytes(witness),
        signature=witness.sign(_head_bytes(head.node, head.seq, head.hash, now_s)),
    )
    keep_countersign(store, made)
    return made


def check_countersign(head: Countersign) -> bool:
    """Did `head.witness` sign this? Whether that witness is trusted is the caller's question."""
    return signed_by(
        head.witness, head.signature, _head_bytes(head.node, head.seq, head.hash, head.time_s)
    )


def keep_countersign(store: Store, head: Countersign) -> None:
    """Keep a countersignature: the witness and the node both do."""
    with store.database.transaction() as db:
        db.execute(
            "INSERT INTO countersigns VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (head.node, head.seq, head.hash, head.witness, pack(head)),
        )


def _last_countersign(store: Store, node: str) -> Countersign | None:
    row = store.database.row(
        "SELECT body FROM countersigns WHERE node = ? ORDER BY seq DESC, hash DESC LIMIT 1", (node,)
    )
    return None if row is None else unpack(row[0], Countersign)


def countersigns(store: Store, node: str) -> list[Countersign]:
    """The countersigned heads of a node, as kept here, the lowest first."""
    return [
        unpack(body, Countersign)
        for (body,) in store.database.rows(
            "SELECT body FROM countersigns WHERE node = ? ORDER BY seq, hash", (node,)
        )
    ]
