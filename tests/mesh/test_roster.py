"""The roster's laws: who is put out stays out, whatever was restored from whichever backup, in one order of serials."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.trust.certificates import new_key, request, spki
from hearthway.mesh.trust.epochs import unwrap
from hearthway.mesh.trust.identity import (
    DeviceIdentity,
    HouseholdRoot,
    create_household,
    device_key,
)
from hearthway.mesh.trust.roster import (
    Roster,
    forgets,
    merged,
    open_notice,
    open_roster,
    supersedes,
)
from hearthway.records.errors import IdentityError, WireError
from hearthway.records.household import HouseholdPerson, PersonKind

NOW_S = time.time()
PEOPLE = ("anna", "bea", "cleo")
DEVICES = ("phone", "phone-bea", "car", "tablet")
KEYS = {name: new_key() for name in DEVICES}


def _root(path: Path) -> HouseholdRoot:
    return create_household(path, "Test", NOW_S)


def _admit(root: HouseholdRoot, device: str, role: str = "phone", key: Any = None) -> None:
    csr = request(key or KEYS[device], device)
    root.admit(csr, device, role, NOW_S, "127.0.0.1:1")


# people and devices -----------------------------------------------------------------------------------------------


def test_removing_a_person_puts_all_their_devices_out_in_one_turn(tmp_path: Path) -> None:
    root = _root(tmp_path)
    for device in DEVICES:
        _admit(root, device)
    root.add_person("bea", PersonKind.ADULT)
    root.add_person("anna", PersonKind.ADULT)
    for device in ("phone-bea", "tablet"):
        root.assign(device, "bea")
    before = root.roster
    after = root.remove_person("bea")
    assert (after.serial, after.epoch) == (before.serial + 1, before.epoch + 1)
    assert [m.device_id for m in after.members] == ["car", "phone"]
    assert after.person("bea") is None
    assert after.person("anna") is not None
    assert after.gone() == {"bea"}
    for device in ("phone-bea", "tablet"):
        key = spki(KEYS[device].public_key())
        assert after.is_revoked(key)
        with pytest.raises(IdentityError, match="taken out"):
            unwrap(after, device, KEYS[device])
    assert unwrap(after, "phone", KEYS["phone"]) != unwrap(before, "phone", KEYS["phone"])
    with pytest.raises(IdentityError, match="Nobody"):
        root.remove_person("bea")


def test_somebody_who_comes_back_is_not_erased_any_more(tmp_path: Path) -> None:
    root = _root(tmp_path)
    root.add_person("bea", PersonKind.ADULT)
    root.remove_person("bea")
    assert root.roster.gone() == {"bea"}
    root.add_person("bea", PersonKind.GUEST, NOW_S + 60.0)
    assert root.roster.gone() == frozenset()
    assert root.roster.left == ("bea",)  # it only grows
    with pytest.raises(IdentityError, match="already"):
        root.add_person("bea", PersonKind.ADULT)


def test_a_guest_is_nobody_once_the_stay_is_over(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    root.introduce("phone", "cleo", PersonKind.GUEST)
    root.set_person("cleo", PersonKind.GUEST, NOW_S + 60.0)
    party = root.roster.party("phone", NOW_S)
    assert party is not None
    assert (party.person, party.kind) == ("cleo", "guest")
    assert root.roster.party("phone", NOW_S + 60.0) is None
    assert root.roster.party("phone", NOW_S + 59.9) is not None


def test_only_one_phone_with_nobody_listed_ever_is_alone(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    _admit(root, "car", "car")
    assert root.roster.alone()
    party = root.roster.party("phone", NOW_S)
    assert party is not None
    assert party.alone
    _admit(root, "phone-bea")
    assert not root.roster.alone()  # whose is which?
    root.revoke("phone-bea")
    assert root.roster.alone()
    root.introduce("phone", "anna", PersonKind.ADULT)
    assert not root.roster.alone()
    root.remove_person("anna")
    assert not root.roster.alone()  # somebody was listed once


@pytest.mark.parametrize("person", ["", "a b", "é", "x" * 65, "-a", "a/b", "?phone"])
def test_ids_that_cannot_be_a_person(tmp_path: Path, person: str) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    with pytest.raises(IdentityError, match="cannot be"):
        root.add_person(person, PersonKind.ADULT)
    with pytest.raises(IdentityError, match="cannot be"):
        root.introduce("phone", person, PersonKind.ADULT)
    assert root.roster.people == ()


def test_assigning_and_moving_turn_no_epoch_and_need_known_names(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    root.add_person("anna", PersonKind.ADULT)
    before = root.roster
    root.assign("phone", "anna")
    root.move("phone", "192.168.4.9:7447")
    assert root.roster.epoch == before.epoch
    assert root.roster.serial == before.serial + 2
    root.move("phone", "192.168.4.9:7447")
    assert root.roster.serial == before.serial + 2  # nothing new
    member = root.roster.member("phone")
    assert member is not None
    assert (member.person, member.address) == ("anna", "192.168.4.9:7447")
    with pytest.raises(IdentityError):
        root.assign("phone", "zoe")
    with pytest.raises(IdentityError):
        root.move("tv", "h:1")


def test_pairing_again_keeps_whose_the_device_is(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    root.introduce("phone", "anna", PersonKind.ADULT)
    _admit(root, "phone")
    member = root.roster.member("phone")
    assert member is not None
    assert member.person == "anna"


def test_the_home_itself_is_not_put_out(tmp_path: Path) -> None:
    root = _root(tmp_path)
    root.enrol("home", "home", NOW_S, "127.0.0.1:1")
    root.add_person("anna", PersonKind.ADULT)
    root.assign("home", "anna")
    with pytest.raises(IdentityError, match="home itself"):
        root.revoke("home")
    with pytest.raises(IdentityError, match="home itself"):
        root.remove_person("anna")
    assert root.roster.member("home") is not None


def test_a_certificate_is_renewed_for_the_same_key_only(tmp_path: Path) -> None:
    root = _root(tmp_path)
    _admit(root, "phone")
    assert root.renew(request(KEYS["phone"], "phone"), "phone", NOW_S).startswith(b"-----BEGIN")
    with pytest.raises(IdentityError, match="another key"):
        root.renew(request(new_key(), "phone"), "phone", NOW_S)
    root.revoke("phone")
    with pytest.raises(IdentityError, match="No device"):
        root.renew(request(KEYS["phone"], "phone"), "phone", NOW_S)


def test_two_parts_of_a_home_make_one_order(tmp_path: Path) -> None:
    """A pairing that waited for its code must not write back a roster that knows nothing of a revocation."""
    waiting = _root(tmp_path)
    _admit(waiting, "car", "car")
    HouseholdRoot.load(tmp_path, NOW_S).revoke("car")
    _admit(waiting, "phone")
    assert waiting.roster.member("car") is None
    assert [r.device_id for r in waiting.roster.revoked] == ["car"]
    assert waiting.roster == HouseholdRoot.load(tmp_path, NOW_S).roster


def test_the_grant_key_is_kept_and_stands_in_the_roster(tmp_path: Path) -> None:
    root = _root(tmp_path)
    assert len(root.grant_private()) == 32
    assert len(root.roster.grant_key) == 32
    again = HouseholdRoot.load(tmp_path, NOW_S)
    assert again.grant_private() == root.grant_private()
    assert again.roster == root.roster
    (tmp_path / "grant.key").unlink()  # restored without it: grants end, the household goes on
    assert HouseholdRoot.load(tmp_path, NOW_S).roster.grant_key != root.roster.grant_key


# a device's side -----------------------------------------------------------------------------------------------


def test_a_notice_tells_the_device_and_a_forged_one_does_not(make_household: Any) -> None:
    household, other = make_household(phone="phone", car="car"), make_household(phone="phone")
    phone, car = household.identity("phone"), household.identity("car")
    household.root.revoke("phone")
    key = spki(phone.key.public_key())
    notice = household.root.roster.notice(key)
    car.check_notice(notice)  # about somebody else: nothing to say
    with pytest.raises(IdentityError, match="taken out"):
        phone.check_notice(notice)
    with pytest.raises(IdentityError, match="taken out"):
        household.identity("phone")  # a restart says so too
    other.root.revoke("phone")
    theirs = other.root.roster.revoked[0]
    with pytest.raises(WireError):
        car.check_notice(other.root.roster.notice(theirs.public_key))
    for at in range(0, len(notice), 5):
        spoilt = bytearray(notice)
        spoilt[at] ^= 1
        with pytest.raises(WireError):
            car.check_notice(bytes(spoilt))
    assert household.root.roster.notice(spki(car.key.public_key())) == b""
    root_key = household.root._certificate.public_key()
    assert open_notice(notice, household.root.household_id, root_key).device_id == "phone"


def test_a_revoked_device_pairs_again_with_a_key_of_its_own_making(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    keys, old = household.path / "phone", household.identity("phone").key
    household.root.revoke("phone")
    with pytest.raises(IdentityError, match="revoked"):
        household.root.admit(request(old, "phone"), "phone", "phone", NOW_S, "")
    with pytest.raises(IdentityError):
        household.identity("phone").with_roster(household.root.signed_roster)
    fresh = device_key(keys)
    assert spki(fresh.public_key()) != spki(old.public_key())
    assert spki(device_key(keys).public_key()) == spki(fresh.public_key())
    household.root.admit(request(fresh, "phone"), "phone", "phone", NOW_S, "")
    assert household.root.roster.member("phone") is not None


def test_a_renewed_certificate_must_be_ours(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    phone, car = household.identity("phone"), household.identity("car")
    later = NOW_S + 86_400.0
    pem = household.root.renew(phone.request(), "phone", later)
    renewed = phone.with_certificate(pem, later)
    assert renewed.certificate.not_valid_after_utc > phone.certificate.not_valid_after_utc
    kept = DeviceIdentity.load(household.path / "phone", later)
    assert kept.certificate == renewed.certificate
    for wrong in (
        household.root.renew(car.request(), "car", later),
        household.root.sign(car.request(), "phone", "phone", later),  # our name, another key
        b"nonsense",
    ):
        with pytest.raises(IdentityError):
            phone.with_certificate(wrong, later)
    older = household.root.renew(phone.request(), "phone", NOW_S - 10 * 86_400.0)
    assert renewed.with_certificate(older, NOW_S) is renewed


def test_a_device_takes_no_roster_that_forgot_a_revocation(make_household: Any) -> None:
    household = make_household(phone="phone", car="car", tablet="phone")
    backup = household.path / "backup"
    shutil.copytree(household.path / "root", backup)
    phone = household.identity("phone")
    household.root.revoke("tablet")
    phone = phone.with_roster(household.root.signed_roster)
    restored = HouseholdRoot.load(backup, NOW_S)
    for _ in range(5):
        restored.move("car", f"127.0.0.1:{restored.roster.serial}")
    assert restored.roster.serial > phone.roster.serial
    with pytest.raises(WireError, match="lacks a revocation"):
        phone.with_roster(restored.signed_roster)
    assert household.identity("phone").roster == phone.roster
    restored.adopt(phone.signed_roster())
    healed = phone.with_roster(restored.signed_roster)
    assert healed.roster.member("tablet") is None
    assert healed.roster.serial > phone.roster.serial
    assert healed.epoch > phone.epoch


def test_the_home_takes_in_what_a_peer_hands_it(tmp_path: Path) -> None:
    """with_roster on the home is adopt: the wire needs no special case."""
    root = _root(tmp_path / "home")
    root.enrol("home", "home", NOW_S, "127.0.0.1:1")
    _admit(root, "tablet")
    shutil.copytree(tmp_path / "home", tmp_path / "restored")
    root.revoke("tablet")
    home = DeviceIdentity.load(tmp_path / "restored", NOW_S)
    restored = HouseholdRoot.load(tmp_path / "restored", NOW_S)
    assert restored.roster.serial > root.roster.serial  # it says at once that it was restored
    assert HouseholdRoot.load(tmp_path / "restored", NOW_S).roster == restored.roster  # once
    restored.move("home", "127.0.0.1:2")
    newer = home.with_roster(root.signed_roster)
    assert newer.roster.member("tablet") is None
    assert newer.roster.serial == restored.roster.serial + 1
    assert newer.roster == HouseholdRoot.load(tmp_path / "restored", NOW_S).roster
    assert newer.with_roster(root.signed_roster) is newer  # heard again: nothing new


# restored roots ------------------------------------------------------------------------------------------------


def test_adopting_ones_own_past_or_a_strangers_changes_nothing(tmp_path: Path) -> None:
    root, stranger = _root(tmp_path / "a"), _root(tmp_path / "b")
    past = root.signed_roster
    _admit(root, "phone")
    root.add_person("anna", PersonKind.CHILD)
    root.set_person("anna", PersonKind.ADULT)
    now = root.roster
    assert root.adopt(past) == now
    assert root.adopt(root.signed_roster) == now
    with pytest.raises(WireError):
        root.adopt(stranger.signed_roster)
    with pytest.raises(WireError):
        root.adopt(b"\x92\xc4\x00\xc4\x00")
    assert root.roster == now


def test_two_homes_with_one_root_come_to_rest(tmp_path: Path) -> None:
    """An old home that still runs beside the restored one: no endless race of serials."""
    one = _root(tmp_path / "a")
    _admit(one, "phone")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    two = HouseholdRoot.load(tmp_path / "b", NOW_S)
    _admit(one, "car", "car")
    _admit(two, "tablet")
    two.revoke("phone")
    serials = []
    for _ in range(6):
        two.adopt(one.signed_roster)
        one.adopt(two.signed_roster)
        serials.append((one.roster.serial, two.roster.serial))
    assert one.roster == two.roster
    assert serials[1:] == serials[:1] * 5
    assert [m.device_id for m in one.roster.members] == ["car", "tablet"]


def test_the_lesser_kind_counts_where_two_branches_differ(tmp_path: Path) -> None:
    one = _root(tmp_path / "a")
    one.add_person("anna", PersonKind.CHILD)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    two = HouseholdRoot.load(tmp_path / "b", NOW_S)
    one.set_person("anna", PersonKind.ADULT)
    two.add_person("bea", PersonKind.GUEST, NOW_S + 5.0)
    one.add_person("bea", PersonKind.GUEST, NOW_S + 9.0)
    one.adopt(two.signed_roster)
    anna, bea = one.roster.person("anna"), one.roster.person("bea")
    assert anna == HouseholdPerson(person_id="anna", kind=PersonKind.CHILD)
    assert bea is not None
    assert bea.until_s == NOW_S + 5.0


def test_a_device_let_in_on_one_branch_goes_with_its_person_on_the_other(tmp_path: Path) -> None:
    one = _root(tmp_path / "a")
    one.add_person("bea", PersonKind.ADULT)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    two = HouseholdRoot.load(tmp_path / "b", NOW_S)
    one.remove_person("bea")
    csr = request(KEYS["tablet"], "tablet")
    two.admit(
        csr,
        "tablet",
        "phone",
        NOW_S,
        "",
        person=HouseholdPerson(person_id="bea", kind=PersonKind.ADULT),
    )
    roster = two.adopt(one.signed_roster)
    assert roster.member("tablet") is None
    assert roster.is_revoked(spki(KEYS["tablet"].public_key()))
    assert roster.notice(spki(KEYS["tablet"].public_key()))  # proved, so that it can be told
    assert roster.gone() == {"bea"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), st.sampled_from(DEVICES)),
        st.tuples(st.just("revoke"), st.sampled_from(DEVICES)),
        st.tuples(st.just("add"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("remove"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("assign"), st.tuples(st.sampled_from(DEVICES), st.sampled_from(PEOPLE))),
        st.tuples(st.just("move"), st.sampled_from(DEVICES)),
        st.tuples(st.just("backup"), st.just("")),
        st.tuples(st.just("restore"), st.just("")),
        st.tuples(st.just("hear"), st.integers(0, 30)),
    ),
    max_size=18,
)


class _World:
    """A root, its newest backup, every roster ever issued, and one node that takes what the laws let it take."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = _root(path / "root")
        self.issued = [self.root.signed_roster]
        self.revoked: set[bytes] = set()
        self.node = self.root.roster

    def step(self, do: str, what: Any) -> None:
        root = self.root
        try:
            if do == "admit":
                _admit(root, what)
            elif do == "revoke":
                root.revoke(what)
            elif do == "add":
                root.set_person(what, PersonKind.ADULT)
            elif do == "remove":
                root.remove_person(what)
            elif do == "assign":
                root.assign(*what)
            elif do == "move":
                root.move(what, f"127.0.0.1:{root.roster.serial}")
            elif do == "backup":
                shutil.rmtree(self.path / "backup", ignore_errors=True)
                shutil.copytree(self.path / "root", self.path / "backup")
            elif do == "restore" and (self.path / "backup").exists():
                shutil.rmtree(self.path / "root")
                shutil.copytree(self.path / "backup", self.path / "root")
                self.root = HouseholdRoot.load(self.path / "root", NOW_S)
            elif do == "hear":
                root.adopt(self.issued[what % len(self.issued)])
        except IdentityError:
            return  # no such device, revoked already, ...
        self.issued.append(self.root.signed_roster)
        self.revoked |= {r.public_key for r in self.root.roster.revoked}
        if supersedes(self.root.roster, self.node):
            self._takes(self.root.roster)

    def _takes(self, roster: Roster) -> None:
        assert not forgets(roster, self.node)
        assert roster.serial > self.node.serial
        self.node = roster


@given(STEPS)
@settings(max_examples=120, deadline=None)
def test_whatever_is_restored_nobody_revoked_comes_back(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = _World(Path(folder))
        for do, what in steps:
            world.step(do, what)
            ours = {r.public_key for r in world.root.roster.revoked}
            assert not [m for m in world.root.roster.members if m.public_key in ours]
        key = world.root._key.public_key()
        for number in range(len(world.issued)):
            world.step("hear", number)
        last = world.root.roster
        # everything that was ever put out is out, on the root and on a node that heard some of it
        assert {r.public_key for r in last.revoked} == world.revoked
        assert not [m for m in last.members if m.public_key in world.revoked]
        assert last.serial >= max(open_roster(s, key).serial for s in world.issued)
        assert not forgets(last, world.node)
        assert last == world.node or supersedes(last, world.node)
        # and it rests: hearing all of it again issues nothing
        for signed in world.issued:
            world.root.adopt(signed)
        assert world.root.roster == last
        # one serial, one roster, among those that a node may take after one another
        assert unwrap(last, "", world.root._key)


@given(STEPS, STEPS)
@settings(max_examples=60, deadline=None)
def test_merging_forgets_nothing_of_either_branch(
    left: list[tuple[str, Any]], right: list[tuple[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = _World(Path(folder) / "one")
        shutil.copytree(Path(folder) / "one", Path(folder) / "two")
        two = _World.__new__(_World)
        two.path = Path(folder) / "two"
        two.root = HouseholdRoot.load(two.path / "root", NOW_S)
        two.issued, two.revoked, two.node = [two.root.signed_roster], set(), two.root.roster
        for world, steps in ((one, left), (two, right)):
            for do, what in steps:
                world.step(do, what)
        a, b = one.root.roster, two.root.roster
        for both, other in ((merged(a, b), merged(b, a)),):
            keys = {r.public_key for r in both.revoked}
            assert keys >= {r.public_key for r in (*a.revoked, *b.revoked)}
            assert not [m for m in both.members if m.public_key in keys]
            assert set(both.left) == {*a.left, *b.left}
            assert both.gone() >= a.gone() | b.gone()
            assert both.people == other.people
            assert {r.public_key for r in other.revoked} == keys
