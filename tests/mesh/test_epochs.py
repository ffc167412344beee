"""The household's key of an epoch: whoever is on the list opens it, nobody else, and nothing of it can be bent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthway.mesh.trust.certificates import new_key, spki
from hearthway.mesh.trust.epochs import KEY_BYTES, ROOT, new_epoch_key, unwrap, wrap
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.errors import IdentityError

MEMBERS = {name: new_key() for name in ("car", "phone")}
ROOT_KEY, OUTSIDER = new_key(), new_key()
KEY = new_epoch_key()


def _roster(**changes: Any) -> Roster:
    members = tuple(
        Member(device_id=name, role="phone", address="", public_key=spki(key.public_key()))
        for name, key in sorted(MEMBERS.items())
    )
    roster = Roster(
        household_id="h1",
        name="Test",
        serial=3,
        members=members,
        epoch=2,
        keys=wrap(KEY, "h1", 2, spki(ROOT_KEY.public_key()), members),
    )
    return msgspec.structs.replace(roster, **changes)


def test_every_member_and_the_root_open_it_and_nobody_else() -> None:
    roster = _roster()
    assert len(KEY) == KEY_BYTES
    for name, key in MEMBERS.items():
        assert unwrap(roster, name, key) == KEY
        with pytest.raises(IdentityError, match="another key"):
            unwrap(roster, name, OUTSIDER)
    assert unwrap(roster, ROOT, ROOT_KEY) == KEY
    with pytest.raises(IdentityError, match="taken out"):
        unwrap(roster, "stranger", OUTSIDER)


@pytest.mark.parametrize("changes", [{"household_id": "h2"}, {"epoch": 3}])
def test_a_key_is_bound_to_its_household_and_epoch(changes: dict[str, Any]) -> None:
    with pytest.raises(IdentityError):
        unwrap(_roster(**changes), "phone", MEMBERS["phone"])


def test_a_key_sealed_for_another_member_does_not_open_under_ones_own_name() -> None:
    roster = _roster()
    stolen = {k.device_id: k.sealed for k in roster.keys}
    swapped = tuple(
        msgspec.structs.replace(k, sealed=stolen["car"]) if k.device_id == "phone" else k
        for k in roster.keys
    )
    with pytest.raises(IdentityError):
        unwrap(_roster(keys=swapped), "phone", MEMBERS["car"])


def test_a_bent_bit_anywhere_is_noticed() -> None:
    roster = _roster()
    sealed = next(k.sealed for k in roster.keys if k.device_id == "phone")
    for at in range(len(sealed)):
        bent = bytearray(sealed)
        bent[at] ^= 1
        keys = tuple(
            msgspec.structs.replace(k, sealed=bytes(bent)) if k.device_id == "phone" else k
            for k in roster.keys
        )
        with pytest.raises(IdentityError):
            unwrap(_roster(keys=keys), "phone", MEMBERS["phone"])
    for short in (b"", sealed[:64], sealed[:66], sealed[:-1]):
        keys = tuple(msgspec.structs.replace(k, sealed=short) for k in roster.keys)
        with pytest.raises(IdentityError):
            unwrap(_roster(keys=keys), "phone", MEMBERS["phone"])


def test_two_sealings_of_one_key_look_nothing_alike() -> None:
    once, again = _roster(), _roster()
    assert all(a.sealed != b.sealed for a, b in zip(once.keys, again.keys, strict=True))


@pytest.mark.parametrize(
    "public",
    [b"", b"\0" * 91, spki(OUTSIDER.public_key())[:-1]],
    ids=["empty", "zeros", "cut short"],
)
def test_a_key_that_is_none_is_refused(public: bytes) -> None:
    member = Member(device_id="tv", role="home", address="", public_key=public)
    with pytest.raises(IdentityError, match="P-256"):
        wrap(KEY, "h1", 1, spki(ROOT_KEY.public_key()), [member])
