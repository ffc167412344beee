"""A node's receipts: written to its chain, shown to the home node, countersigned by it.

The home's witness key reaches a node inside a device-signed envelope and is pinned in a file beside the keys, so
that a database rewritten as a whole does not verify.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hearthway.mesh.state.receipts import (
    ReceiptChain,
    check_countersign,
    check_enrolment,
    countersign,
    enrol,
    enrolment,
    keep_countersign,
    keep_enrolment,
)
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.keyfiles import write_private
from hearthway.mesh.trust.signing import public_bytes, signing_key
from hearthway.records.chain import Enrolment
from hearthway.records.count import count_of
from hearthway.records.errors import ReceiptError
from hearthway.records.household import Role
from hearthway.records.messages import HEAD, HeadShown, HeadWitnessed
from hearthway.records.receipts import Computation, Crossing, Disclosure, Measured, Receipt
from hearthway.records.situation import Evidence

from .counters import InternetWatch

if TYPE_CHECKING:
    from hearthway.mesh.wire.node import MeshNode

HEADS_AT_ONCE, HEADS_A_S = 2000, 1.0  # of one node; a life has some tens a day, a replay more
_KEY_BYTES, _HASH_BYTES, _SUGGESTION_ID_MAX = 32, 32, 100
RECEIPT_KEY, WITNESS_KEY, WITNESS_PIN = "receipt.key", "witness.key", "witness.pub"


def pinned_witness(keys: Path) -> bytes | None:
    """The witness this node trusts; None before the home countersigned anything."""
    path = keys / WITNESS_PIN
    return path.read_bytes() if path.exists() else None


@cache
def code_hash(package: str) -> str:
    """BLAKE2b over the sources of a stage as they run here: what a receipt means by "code"."""
    root = Path(__file__).resolve().parent.parent / package
    state = hashlib.blake2b(digest_size=8)
    for source in sorted(root.rglob("*.py")):
        state.update(source.relative_to(root).as_posix().encode() + b"\0")
        state.update(source.read_bytes() + b"\0")
    return state.hexdigest()


def stages(node: str, *names: str, model: str = "") -> tuple[Computation, ...]:
    """What ran here, by the hash of its code; `model` where the stage learned from this person."""
    return tuple(
        Computation(
            stage=name, node=node, code=code_hash(name), model=model if name != "atlas" else ""
        )
        for name in names
    )


def told(crossings: Iterable[Crossing]) -> tuple[Crossing, ...]:
    """Crossings as a receipt lists them, without those that carry nothing of a suggestion or a person.

    A replay's lock-step, and what keeps the household together (certificates, the list of devices, states
    compared, heads of receipt chains), come as often as nodes meet. Their bytes are in `bytes_to` all the same;
    the head shown for a suggestion stands on the home's receipt.
    """
    return tuple(one for one in crossings if one.purpose not in ("replay", "household", "witness"))


class Receipts:
    """The chain of one node, and its dealings with the witness."""

    def __init__(
        self, store: Store, keys: Path, node: str, role: Role, watch: InternetWatch
    ) -> None:
        self.chain = ReceiptChain(store, signing_key(keys / RECEIPT_KEY))
        self._store = store
        self._keys = keys
        self._node = node
        self._role = role
        self._watch = watch

    def write(
        self,
        *,
        suggestion_id: str,
        person: str,
        time_s: float,
        fields: tuple[Evidence, ...],
        crossings: tuple[Crossing, ...],
        computations: tuple[Computation, ...],
        disclosures: tuple[Disclosure, ...] = (),
        mesh: MeshNode | None = None,
        bytes_to: Mapping[str, int] | None = None,
        since: float | None = None,
    ) -> Receipt:
        """Append this node's receipt of a suggestion; `since` is a monotonic second to measure latency from."""
        reading = self._watch.read()
        sent = {**({} if mesh is None else mesh.bytes_to()), **(bytes_to or {})}
        receipt = Receipt(
            suggestion_id=suggestion_id,
            node=self._node,
            role=str(self._role),
            person=person,
            time_s=time_s,
            fields=fields,
            crossings=crossings,
            computations=computations,
            disclosures=disclosures,
            measured=Measured(
                latency_ms=None if since is None else round((time.monotonic() - since) * 1000, 3),
                bytes_to=dict(sorted(sent.items())),
                internet_bytes=reading.internet_bytes,
                internet_refused=reading.internet_refused,
                how=reading.how,
            ),
        )
        self.chain.append(receipt)
        return receipt

    async def show_head(self, mesh: MeshNode, suggestion_id: str = "", time_s: float = 0.0) -> None:
        """Send the chain's head to the witness, after a suggestion's receipt or at a contact; it countersigns.

        At the first contact the chain is empty: so the witness has bound the key before there is a receipt, and what
        was written in its absence is witnessed when it is back.
        """
        shown = HeadShown(
            head=self.chain.head(),
            key=self.chain.public_key,
            suggestion_id=suggestion_id,
            time_s=time_s,
        )
        await mesh.publish(HEAD, shown, "witness", reliable=True)

    def witnessed(self, word: HeadWitnessed) -> None:
        """Keep the witness's word; ReceiptError where it is not the witness this node trusts."""
        enrolment, pinned = word.enrolment, pinned_witness(self._keys)
        trusted = enrolment.witness if pinned is None else pinned
        own = (enrolment.node, enrolment.key) == (self._node, self.chain.public_key)
        if not own or not check_enrolment(enrolment, trusted):
            raise ReceiptError(
                "A countersignature came from a witness this node does not trust.",
                "Did the home node change? Pair this device again.",
            )
        if word.countersign.witness != trusted or not check_countersign(word.countersign):
            raise ReceiptError(
                "A countersignature does not verify.", "Look at the home node's log."
            )
        if pinned is None:  # at the first word that holds
            write_private(self._keys / WITNESS_PIN, trusted)
        keep_enrolment(self._store, enrolment)
        keep_countersign(self._store, word.countersign)


class Heads:
    """How many heads the home takes of each node: each may cost it a record that is kept for ever.

    One that is not taken is no loss: the next one speaks for all entries before it.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._left: dict[str, tuple[float, float]] = {}  # by node: so many, at that second

    def take(self, node: str) -> bool:
        """May one more come of it? Then it is counted."""
        now_s = self._now_s()
        left, at_s = self._left.get(node, (float(HEADS_AT_ONCE), now_s))
        left = min(float(HEADS_AT_ONCE), left + (now_s - at_s) * HEADS_A_S)
        taken = left >= 1.0
        self._left[node] = left - taken, now_s
        return taken


class Witness:
    """The home's part: binds nodes to their receipt keys, countersigns heads, refuses rewritten ones."""

    def __init__(self, store: Store, keys: Path) -> None:
        self._store = store
        self._key = signing_key(keys / WITNESS_KEY)
        pin = keys / WITNESS_PIN
        if not pin.exists():
            write_private(pin, self.public_key)

    @property
    def public_key(self) -> bytes:
        """What other nodes pin."""
        return public_bytes(self._key)

    def sign(self, sender: str, shown: HeadShown, now_s: float) -> HeadWitnessed:
        """The witness's word on `shown`; ReceiptError for another node's head, another key or a rewritten past."""
        if shown.head.node != sender:
            raise ReceiptError(
                f"{sender} showed a chain of {shown.head.node}.", "Look at that node."
            )
        if (
            len(shown.key) != _KEY_BYTES
            or len(shown.head.hash) != _HASH_BYTES
            or not 0 <= shown.head.seq < 2**63
            or len(shown.suggestion_id) > _SUGGESTION_ID_MAX
        ):
            raise ReceiptError(f"{sender} showed what is no head of a chain.", "Look at that node.")
        bound = self._enrol(sender, shown.key, now_s)
        return HeadWitnessed(
            countersign=countersign(self._store, shown.head, self._key, now_s), enrolment=bound
        )

    def _enrol(self, node: str, key: bytes, now_s: float) -> Enrolment:
        bound = enrolment(self._store, node)
        if bound is not None and bound.key == key:
            return bound
        fresh = enrol(self._key, node, key, now_s)
        keep_enrolment(self._store, fresh)  # refuses a second key for a node
        return fresh


def receipt_lines(receipt: Receipt) -> list[str]:
    """A receipt for people: what was used, what crossed by which rule, what ran, how many bytes."""
    lines = [f"receipt of {receipt.node} for {receipt.suggestion_id}"]
    for field in receipt.fields:
        age = (
            "now"
            if field.age_s < 1
            else f"{field.age_s:.0f} s old"
            if field.age_s < 120
            else _age(field.age_s)
        )
        other = field.person not in ("", receipt.person)
        about = f" about {field.person}" if other else ""
        lines.append(f"  used     {field.key}{about}  from {field.source}, {age}")
    for crossing in receipt.crossings:
        allowed = f"rule {crossing.rule}" if crossing.rule else "REFUSED: no rule"
        lines.append(
            f"  crossed  {crossing.key}  {crossing.sender} -> {crossing.receiver_role} x{crossing.count}"
            f"  for {crossing.purpose}, {allowed}"
        )
    for ran in receipt.computations:
        model = f", model {ran.model[:12]}" if ran.model else ""
        code = f", code {ran.code[:16]}" if ran.code else ""
        if ran.used:
            lines.append(f"  ran      {ran.stage} on {ran.node}{code}{model}")
        else:
            lines.append(
                f"  given to {ran.node} for {ran.stage}{code}{model}; its answer was not used"
            )
    lines += [
        f"  {told.peer} could learn: {'; '.join(told.learned)}" for told in receipt.disclosures
    ]
    measured = receipt.measured
    sent = (
        ", ".join(f"{count} bytes to {name}" for name, count in measured.bytes_to.items())
        or "nothing"
    )
    lines.append(f"  sent     {sent}")
    internet = (
        "not measurable here"
        if measured.internet_bytes is None
        else f"{measured.internet_bytes} bytes"
    )
    refused = (
        ""
        if measured.internet_refused is None
        else f", {count_of(measured.internet_refused, 'attempt')} refused"
    )
    lines.append(f"  internet {internet}{refused} ({measured.how})")
    if measured.latency_ms is not None:
        lines.append(f"  took     {measured.latency_ms:.1f} ms from the last signal")
    return lines


def _age(age_s: float) -> str:
    if age_s < 7200:
        return f"{age_s / 60:.0f} min old"
    if age_s < 2 * 86_400:
        return f"{age_s / 3600:.0f} h old"
    return f"{age_s / 86_400:.0f} days old"
