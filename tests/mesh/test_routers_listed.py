"""Routers on the household's list: listed, replaced, removed, and never back; a router is no member."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hearthway.mesh.trust.certificates import (
    check_certificate,
    load_certificate,
    new_key,
    request,
    spki,
)
from hearthway.mesh.trust.identity import HouseholdRoot, create_household
from hearthway.mesh.trust.roster import DEVICE_ID, forgets, merged, open_roster
from hearthway.mesh.trust.routers import ROUTERS_MAX
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, IdentityError

NOW_S = time.time()
AT = ("10.1.0.1:7450", "10.2.0.1:7450")


def _root(path: Path) -> HouseholdRoot:
    root = create_household(path, "Test", NOW_S)
    root.admit(request(new_key(), "phone"), "phone", "phone", NOW_S, "127.0.0.1:1")
    return root


def _add(root: HouseholdRoot, name: str = "cottage", key: Any = None) -> Any:
    return root.set_router(request(key or new_key(), name), name, AT, NOW_S)[1]


def test_a_router_is_listed_and_gets_nothing_of_a_members(tmp_path: Path) -> None:
    root = _root(tmp_path)
    before = root.roster
    key = new_key()
    pem, router = root.set_router(request(key, "phone"), "cottage", AT, NOW_S)
    after = open_roster(root.signed_roster, root._certificate.public_key())  # type: ignore[arg-type]  # P-256
    assert after.router("cottage") == router == root.roster.router("cottage")
    assert (router.addresses, router.public_key) == (AT, spki(key.public_key()))
    assert (after.serial, after.epoch) == (before.serial + 1, before.epoch)
    assert after.members == before.members  # whatever its request called it
    assert [k.device_id for k in after.keys] == [k.device_id for k in before.keys]
    certificate = load_certificate(pem, "It")
    certificate.verify_directly_issued_by(root._certificate)
    assert DEVICE_ID.fullmatch(router.common_name) is None
    with pytest.raises(IdentityError, match="cannot be a device id"):
        check_certificate(certificate, root._certificate, NOW_S, "It")
    assert after.party("cottage", NOW_S) is after.party(router.common_name, NOW_S) is None
    days = (certificate.not_valid_after_utc.timestamp() - NOW_S) / 86_400.0
    assert 364.9 < days < 365.1


def test_the_same_again_changes_nothing_and_another_key_ends_the_old_one(tmp_path: Path) -> None:
    root = _root(tmp_path)
    key = new_key()
    first = _add(root, key=key)
    serial = root.roster.serial
    assert _add(root, key=key) == first
    assert root.roster.serial == serial
    second = _add(root)
    assert second.common_name != first.common_name
    assert root.roster.routers == (second,)
    assert root.roster.is_revoked(first.public_key)
    with pytest.raises(IdentityError, match="not trusted any more"):
        _add(root, key=key)


def test_a_router_that_was_removed_stays_out(tmp_path: Path) -> None:
    """Also in a home restored from before; the control: one that was not removed is there in both."""
    root = _root(tmp_path / "home")
    key = new_key()
    gone, stays = _add(root, key=key), _add(root, "barn")
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    signed_before = root.roster
    after = root.remove_router("cottage")
    assert after.routers == (stays,)
    assert after.epoch == signed_before.epoch
    assert forgets(signed_before, after)
    assert not forgets(after, signed_before)
    for both in (merged(signed_before, after), merged(after, signed_before)):
        assert both.routers == (stays,)
    restored = HouseholdRoot.load(tmp_path / "backup", NOW_S)
    assert restored.roster.router("cottage") == gone
    assert restored.adopt(root.signed_roster).routers == (stays,)
    with pytest.raises(IdentityError, match="not trusted any more"):
        _add(restored, key=key)
    with pytest.raises(IdentityError, match="No router") as why:
        root.remove_router("cottage")
    assert "hearthway router" in why.value.next_step


def test_what_can_be_no_router_is_refused(tmp_path: Path) -> None:
    root = _root(tmp_path)
    serial = root.roster.serial
    for name, addresses in (
        ("../x", AT),
        ("Cottage", AT),
        ("", AT),
        ("x" * 41, AT),
        ("cottage", ()),
        ("cottage", ("",)),
        ("cottage", ("10.0.0.1",)),
        ("cottage", ("10.0.0.1:0",)),
        ("cottage", ("10.0.0.1:99999",)),
        ("cottage", ("a b:1",)),
        ("cottage", ("tls/10.0.0.1:1",)),
        ("cottage", AT * 3),
    ):
        with pytest.raises(IdentityError) as why:
            root.set_router(request(new_key(), "x"), name, addresses, NOW_S)
        assert why.value.next_step
    with pytest.raises(HearthwayError):
        root.set_router(b"no request", "cottage", AT, NOW_S)
    assert root.roster.serial == serial
    for number in range(ROUTERS_MAX):
        _add(root, f"router-{number}")
    with pytest.raises(IdentityError, match=f"{ROUTERS_MAX} routers already"):
        _add(root, "one-more")
    _add(root, "router-0")  # a listed one may change


class _Older(msgspec.Struct, frozen=True, kw_only=True):
    """The list as a Hearthway without routers reads it."""

    household_id: str
    serial: int


def test_an_older_node_reads_the_list_all_the_same(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _add(root)
    packed = codec.pack(root.roster)
    assert codec.unpack(packed, _Older).serial == root.roster.serial
