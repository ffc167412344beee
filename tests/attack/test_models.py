"""Artefacts and orders under attack: what was changed never runs, what is old stays old, who lies or drips is left."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace
from tests.app.conftest import household
from tests.app.modelling import TASK, give, model, opaque, own, serves
from tests.mesh.shelves import artefact, release

from hearthway.app.model_fetch import Fetcher
from hearthway.app.models import Models
from hearthway.mesh.state.artefacts import Artefacts
from hearthway.mesh.state.disk import Disk
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.identity import HouseholdRoot, create_household
from hearthway.mesh.trust.orders import open_order, sign_order
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, IdentityError, MeshError, WireError
from hearthway.records.releases import (
    ARTEFACT_MAX_BYTES,
    ORDERS,
    PIECE,
    PIECE_BYTES,
    PURPOSE,
    Order,
    OrdersSaid,
    Piece,
    PieceWanted,
    Release,
    SignedOrder,
)

__all__ = ["household", "opaque"]
OLD, NEW = model("old"), model("new")
NOW_S = 1.8e9


# what is signed ---------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> HouseholdRoot:
    return create_household(tmp_path / "keys", "Ours", NOW_S)


def an_order(root: HouseholdRoot, **fields: Any) -> Order:
    made = Order(household_id=root.household_id, task=TASK, number=5, next=release(artefact(1)))
    return replace(made, **fields)


def test_no_changed_byte_of_an_order_passes(root: HouseholdRoot) -> None:
    signed, certificate = (
        sign_order(an_order(root), root),
        load_certificate(root.certificate_pem, ""),
    )
    assert open_order(signed, certificate) == an_order(root)  # the control
    for at in range(len(signed)):
        for bit in (1, 128):
            changed = signed[:at] + bytes([signed[at] ^ bit]) + signed[at + 1 :]
            with pytest.raises((IdentityError, WireError)):
                open_order(changed, certificate)
    for cut in range(0, len(signed), 7):
        with pytest.raises(WireError):
            open_order(signed[:cut], certificate)


def test_nobody_but_the_households_root_orders(root: HouseholdRoot, tmp_path: Path) -> None:
    """Not a device with its own key (in the household, or put out of it), nor another household's root."""
    certificate = load_certificate(root.certificate_pem, "")
    body, context = codec.pack(an_order(root)), b"hearthway model order 1\0"
    device = ec.generate_private_key(ec.SECP256R1())
    other = create_household(tmp_path / "other", "Theirs", NOW_S)
    from hearthway.mesh.trust.certificates import ECDSA

    forged = [
        codec.pack(SignedOrder(body, device.sign(context + body, ECDSA))),
        codec.pack(SignedOrder(body, other.sign_statement(context, body))),
        codec.pack(SignedOrder(body, root.sign_statement(b"hearthway artefact 1\0", body))),
        codec.pack(SignedOrder(body, b"")),
    ]
    for signed in forged:
        with pytest.raises(IdentityError, match="not signed by the household's root"):
            open_order(signed, certificate)
    foreign = sign_order(an_order(root, household_id=other.household_id), root)
    with pytest.raises(IdentityError, match="another household"):
        open_order(foreign, certificate)
    good = codec.pack(SignedOrder(body, root.sign_statement(context, body)))  # the control
    assert open_order(good, certificate).number == 5


@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": 2**40},
        {"size_bytes": ARTEFACT_MAX_BYTES + 1},
        {"size_bytes": 0},
        {"size_bytes": PIECE_BYTES},  # fewer than the pieces it names
        {"pieces": b""},
        {"identity": "../../keys/root.key"},
        {"identity": "A" * 64},
        {"golden": b"0" * (64 * 1024 + 1)},
        {"name": "x" * 121},
        {"serial": -1},
    ],
)
def test_what_an_artefact_cannot_be_is_refused_before_a_byte_moves(
    root: HouseholdRoot, change: dict[str, Any]
) -> None:
    """Even if the root itself had signed it."""
    certificate = load_certificate(root.certificate_pem, "")
    body = codec.pack(an_order(root, next=replace(release(artefact(1)), **change)))
    signed = codec.pack(SignedOrder(body, root.sign_statement(b"hearthway model order 1\0", body)))
    with pytest.raises(WireError):
        open_order(signed, certificate)
    with pytest.raises(WireError):
        sign_order(an_order(root, next=replace(release(artefact(1)), **change)), root)


def test_an_order_too_long_to_be_one_is_not_read(root: HouseholdRoot) -> None:
    with pytest.raises(WireError, match="too long"):
        open_order(bytes(256 * 1024 + 1), load_certificate(root.certificate_pem, ""))


# who gives pieces -------------------------------------------------------------------------------------------------


class Source:
    """Somebody of the household who gives pieces, in some way."""

    def __init__(self, data: bytes, how: str = "right") -> None:
        self.data, self.how, self.asked = data, how, 0

    async def give(self, index: int) -> Piece:
        self.asked += 1
        data = self.data[index * PIECE_BYTES : (index + 1) * PIECE_BYTES]
        if self.how == "slow":
            await asyncio.sleep(0.2)
        elif self.how == "silent":
            await asyncio.sleep(3600.0)
        elif self.how == "away":
            raise MeshError("not reachable now")
        elif self.how == "lies at 3" and index == 3:
            return Piece(data=data[:-1] + bytes([data[-1] ^ 1]))
        elif self.how == "long":
            return Piece(data=data + b"more")
        elif self.how == "short":
            return Piece(data=data[:-1])
        return Piece(data=data)


DATA = artefact(7, 9 * PIECE_BYTES + 5)
WANTED = release(DATA)


def fetcher(sources: dict[str, Source]) -> Fetcher:
    async def ask(device: str, wanted: PieceWanted) -> Piece:
        return await sources[device].give(wanted.index)

    made = Fetcher(ask, lambda: list(sources))
    made.rate_bytes_s, made.slow_s = 1e9, 0.1
    return made


def fetched(
    folder: Path, sources: dict[str, Source], wanted: Release = WANTED
) -> tuple[bool, Fetcher, Artefacts]:
    artefacts, made = Artefacts(folder, Disk()), fetcher(sources)
    artefacts.make()
    return asyncio.run(made.fetch(artefacts, wanted)), made, artefacts


def test_a_liar_is_found_at_its_piece_and_another_is_asked(tmp_path: Path) -> None:
    liar, honest = Source(DATA, "lies at 3"), Source(DATA)
    done, made, artefacts = fetched(tmp_path / "a", {"car": liar, "home": honest})
    assert done
    assert artefacts.read(WANTED.identity) == DATA
    assert (liar.asked, honest.asked) == (4, 7)
    assert made.lied == {"car": WANTED.identity}
    alone = Source(DATA, "lies at 3")
    done, _, artefacts = fetched(tmp_path / "b", {"car": alone})
    assert not done
    assert artefacts.read(WANTED.identity) is None
    assert alone.asked == 4  # and is asked no more
    assert artefacts.begin(WANTED) == 3  # what was right is kept


@pytest.mark.parametrize("how", ["long", "short", "away"])
def test_who_gives_nothing_that_fits_is_left(tmp_path: Path, how: str) -> None:
    bad = Source(DATA, how)
    assert not fetched(tmp_path / "a", {"car": bad})[0]
    assert bad.asked <= 3
    assert fetched(tmp_path / "b", {"car": bad, "home": Source(DATA)})[0]  # the control


def test_who_drips_is_asked_last(tmp_path: Path) -> None:
    """A source that is slow enough to hold an update up for hours, beside one that is not."""
    slow, quick = Source(DATA, "slow"), Source(DATA)
    began_s = time.monotonic()
    done, _, _ = fetched(tmp_path / "a", {"car": slow, "home": quick})
    assert done
    assert slow.asked == 1
    assert time.monotonic() - began_s < 1.5
    alone = Source(DATA, "slow")  # the control: nobody else has it, so it takes its time
    assert fetched(tmp_path / "b", {"car": alone})[0]
    assert alone.asked == WANTED.count


def test_a_slow_disk_here_makes_no_source_slow(tmp_path: Path) -> None:
    class SlowDisk(Disk):
        def append(self, path: Path, at: int, data: bytes) -> None:
            time.sleep(0.15)
            super().append(path, at, data)

    first, second = Source(DATA), Source(DATA)
    artefacts, made = Artefacts(tmp_path / "a", SlowDisk()), fetcher({"car": first, "home": second})
    artefacts.make()
    assert asyncio.run(made.fetch(artefacts, WANTED))
    assert (first.asked, second.asked) == (WANTED.count, 0)


def test_who_never_answers_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.app.model_fetch.PIECE_TIMEOUT_S", 0.1)
    silent = Source(DATA, "silent")
    assert fetched(tmp_path / "a", {"car": silent, "home": Source(DATA)})[0]
    assert silent.asked == 1
    assert not fetched(tmp_path / "b", {"car": silent})[0]


def test_a_manifest_that_lies_about_its_whole_is_found_at_the_end(tmp_path: Path) -> None:
    """Right pieces, wrong name: nothing is kept under it."""
    lying = replace(WANTED, identity="0" * 64)
    done, _, artefacts = fetched(tmp_path / "a", {"home": Source(DATA)}, lying)
    assert not done
    assert list((tmp_path / "a").iterdir()) == []
    assert artefacts.read("0" * 64) is None


# in a household ---------------------------------------------------------------------------------------------------


async def _newer(nodes: Any, files: Path) -> tuple[Models, list[bytes | None]]:
    """The phone's models, of which the newer serves, and what is told from now on to who uses it."""
    phone: Models = nodes["phone"].part(Models)
    told: list[bytes | None] = []
    phone.watch(TASK, lambda: told.append(serves(nodes["phone"])))
    for data in (OLD, NEW):
        await give(nodes, files, data, "home", "phone")
        await nodes.until(lambda data=data: told == [data])
        told.clear()
    return phone, told


@pytest.mark.usefixtures("opaque")
def test_a_file_changed_on_the_disk_never_runs_and_is_fetched_again(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone, told = await _newer(nodes, tmp_path / "files")
            found = phone.load(TASK)
            assert found is not None
            assert found[1] == NEW  # the control
            file = nodes["phone"].paths.models / f"{found[0]}.student"
            file.write_bytes(NEW[:100] + b"!" + NEW[101:])
            assert serves(nodes["phone"]) == OLD
            await nodes.until(lambda: serves(nodes["phone"]) == NEW)
            await nodes.until(lambda: told == [NEW])  # whoever took the old one hears of it
            file.write_bytes(NEW + b"more")
            with pytest.raises(HearthwayError, match="was changed"):
                phone.by_identity(found[0])
            await nodes.until(lambda: phone.by_identity(found[0]) == NEW)

    asyncio.run(main())


@pytest.mark.usefixtures("opaque")
def test_who_took_another_hears_of_what_became_whole_as_its_fetch_was_ended(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands on the disk already while the fetch still waits to be told so, and is looked for no longer."""

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone, told = await _newer(nodes, tmp_path / "files")
            artefacts, is_whole, may_end = phone.shelf.artefacts, asyncio.Event(), threading.Event()
            finish, loop = artefacts.finish, asyncio.get_running_loop()

            def finished(release: Release) -> bool:
                done: bool = finish(release)
                loop.call_soon_threadsafe(is_whole.set)
                assert may_end.wait(20.0)
                return done

            monkeypatch.setattr(artefacts, "finish", finished)
            (nodes["phone"].paths.models / f"{phone.shelf.serving(TASK)}.student").write_bytes(OLD)
            assert serves(nodes["phone"]) == OLD
            async with asyncio.timeout(20.0):
                await is_whole.wait()
            assert told == []
            phone.ordered()
            await nodes.until(lambda: told == [NEW])
            may_end.set()

    asyncio.run(main())


@pytest.mark.usefixtures("opaque")
def test_an_old_order_said_again_changes_nothing(household: Any, tmp_path: Path) -> None:
    """The car keeps what the root once signed, and says it again; only the owner goes back."""

    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone", "car")
            kept = nodes["car"].part(Models).shelf.signed_after({})
            await give(nodes, tmp_path / "files", NEW, "home", "phone", "car")
            newest = nodes["phone"].part(Models).shelf.known()
            car = nodes["car"].mesh
            for name in ("phone", "home"):
                said = OrdersSaid(known={TASK: 1}, orders=kept)
                answer = await car.request(name, ORDERS, said, PURPOSE, OrdersSaid, 5.0)
                assert answer.known == newest
                assert len(answer.orders) == 1  # it is told what is newer
                assert nodes[name].part(Models).shelf.known() == newest
                assert serves(nodes[name]) == NEW
            await nodes.ask("home", "model-back", task=TASK)  # the control
            await nodes.until(lambda: serves(nodes["phone"]) == OLD)

    asyncio.run(main())


@pytest.mark.usefixtures("opaque")
def test_a_member_orders_nothing_and_is_given_nothing_that_no_order_names(
    household: Any, tmp_path: Path
) -> None:
    async def main() -> None:
        async with household(phone="phone", car="car") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone", "car")
            car, order = nodes["car"].mesh, nodes["car"].part(Models).shelf.order(TASK)
            forged = codec.pack(replace(order, number=order.number + 1, serves=None))
            signature = car.identity.sign(b"hearthway model order 1\0" + forged)
            said = OrdersSaid(known={}, orders=(codec.pack(SignedOrder(forged, signature)),))
            with pytest.raises(MeshError, match="not signed by the household's root"):
                await car.request("phone", ORDERS, said, PURPOSE, OrdersSaid, 5.0)
            many = OrdersSaid(known={f"t{n}": 1 for n in range(17)})
            with pytest.raises(MeshError, match="are not heard"):
                await car.request("phone", ORDERS, many, PURPOSE, OrdersSaid, 5.0)
            assert serves(nodes["phone"]) == OLD
            for identity, index in (
                ("0" * 64, 0), ("../node", 0), (order.serves.identity, 99), (order.serves.identity, -1),
            ):  # fmt: skip
                wanted = PieceWanted(identity=identity, index=index)
                with pytest.raises(MeshError, match="not here"):
                    await car.request("phone", PIECE, wanted, PURPOSE, Piece, 5.0)
            right = PieceWanted(identity=order.serves.identity, index=0)  # the control
            piece = await car.request("phone", PIECE, right, PURPOSE, Piece, 5.0)
            assert piece.data == OLD[:PIECE_BYTES]
            refusals: list[str] = []
            for _ in range(400):
                try:
                    await car.request("phone", PIECE, right, PURPOSE, Piece, 5.0)
                except MeshError as why:
                    refusals.append(why.message)
            assert len(refusals) > 100
            assert all("too often" in words for words in refusals)

    asyncio.run(main())


@pytest.mark.usefixtures("opaque")
def test_a_newer_order_is_carried_out_while_a_source_drips(household: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone")
            artefacts = nodes["home"].part(Models).shelf.artefacts
            piece = artefacts.piece

            def drips(identity: str, index: int) -> Any:
                time.sleep(0.5)
                return piece(identity, index)

            artefacts.piece = drips
            long = model("long", 100 * PIECE_BYTES)
            await nodes.ask("home", "model-add", **own(tmp_path, "long.student", long))
            part = nodes["phone"].paths.models
            await nodes.until(lambda: list(part.glob("*.part")) != [])
            await nodes.ask("home", "model-back", task=TASK)  # it is not spread any more
            await nodes.until(lambda: list(part.glob("*.part")) == [], 5.0)
            assert serves(nodes["phone"]) == OLD

    asyncio.run(main())


@pytest.mark.usefixtures("opaque")
def test_a_full_disk_is_said_and_the_model_that_works_goes_on(
    household: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            await give(nodes, tmp_path / "files", OLD, "home", "phone")
            monkeypatch.setattr("hearthway.app.models.AGAIN_S", (0.2,))
            monkeypatch.setattr("hearthway.mesh.state.artefacts.FREE_MIN_BYTES", 2**62)
            await nodes.ask("home", "model-add", **own(tmp_path, "new.student", NEW))
            phone = nodes["phone"].part(Models)
            await nodes.until(lambda: "are free here" in phone.row(TASK)["problem"])
            assert "Free some space" in phone.row(TASK)["what_to_do"]
            assert serves(nodes["phone"]) == OLD
            monkeypatch.setattr("hearthway.mesh.state.artefacts.FREE_MIN_BYTES", 0)
            await nodes.until(lambda: serves(nodes["phone"]) == NEW)  # tried again by itself
            assert phone.row(TASK)["problem"] == ""

    asyncio.run(main())
