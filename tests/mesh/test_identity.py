"""The household's root and its devices' certificates: what holds, and what each broken one says."""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hearthway.mesh.trust.certificates import (
    certificate_key,
    check_certificate,
    load_certificate,
    new_key,
    request,
    verify,
)
from hearthway.mesh.trust.identity import DeviceIdentity, HouseholdRoot, create_household
from hearthway.mesh.trust.roster import open_roster
from hearthway.records.errors import IdentityError, WireError

DAY_S = 86_400.0


def test_a_device_loads_with_name_role_and_household(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    phone = household.identity("phone")
    assert (phone.device_id, phone.role) == ("phone", "phone")
    assert phone.household_id == household.root.household_id
    assert [m.device_id for m in phone.roster.members] == ["car", "phone"]
    assert phone.address == household.addresses["phone"]
    signature = phone.sign(b"words")
    key = certificate_key(phone.certificate, "phone")
    assert verify(key, signature, b"words")
    assert not verify(key, signature, b"other words")


def test_files_are_private_and_nothing_half_written_stays(make_household: Any) -> None:
    household = make_household(phone="phone")
    for folder in (household.path / "root", household.path / "phone"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = sorted(folder.iterdir())
        assert files
        assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)
        assert not [f for f in files if f.name.startswith(".")]


def test_the_certificate_says_thirty_days_and_both_uses(make_household: Any) -> None:
    certificate = make_household(phone="phone").identity("phone").certificate
    lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert 30.0 <= lasts.total_seconds() / DAY_S <= 30.1
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in [str(a) for a in names.get_values_for_type(x509.IPAddress)]


def test_the_root_loads_again_and_keeps_its_roster(make_household: Any) -> None:
    household = make_household(phone="phone")
    again = HouseholdRoot.load(household.path / "root", time.time())
    assert again.roster == household.root.roster
    assert again.certificate_pem == household.root.certificate_pem


def test_a_second_household_in_the_same_directory_is_refused(make_household: Any) -> None:
    household = make_household()
    before = (household.path / "root" / "root.key").read_bytes()
    with pytest.raises(IdentityError, match="already"):
        create_household(household.path / "root", "Again", time.time())
    assert (household.path / "root" / "root.key").read_bytes() == before


@pytest.mark.parametrize("name", ["device.key", "device.pem", "ca.pem", "roster.bin"])
def test_a_missing_file_says_to_pair(make_household: Any, name: str) -> None:
    household = make_household(phone="phone")
    assert household.identity("phone")  # the control: it loads with the file
    (household.path / "phone" / name).unlink()
    with pytest.raises(IdentityError) as caught:
        household.identity("phone")
    assert "pair" in caught.value.next_step


@pytest.mark.parametrize("name", ["device.key", "roster.bin"])
def test_a_key_that_others_can_read_is_refused(make_household: Any, name: str) -> None:
    household = make_household(phone="phone")
    path = household.path / "phone" / name
    path.chmod(0o644)
    with pytest.raises(IdentityError, match="other users"):
        household.identity("phone")
    path.chmod(0o600)
    assert household.identity("phone").device_id == "phone"


@pytest.mark.parametrize("name", ["device.key", "device.pem", "ca.pem", "roster.bin"])
@pytest.mark.parametrize("content", [b"", b"-----BEGIN NONSENSE-----", b"\xff" * 300])
def test_a_spoilt_file_is_a_sentence(make_household: Any, name: str, content: bytes) -> None:
    household = make_household(phone="phone")
    (household.path / "phone" / name).write_bytes(content)
    with pytest.raises(IdentityError) as caught:
        household.identity("phone")
    assert caught.value.message.endswith(".")
    assert caught.value.next_step


def test_expired_and_not_yet_valid(make_household: Any) -> None:
    household = make_household(phone="phone")
    keys = household.path / "phone"
    assert DeviceIdentity.load(keys, time.time() + 29 * DAY_S).renew_due(time.time() + 29 * DAY_S)
    assert not household.identity("phone").renew_due(time.time())
    with pytest.raises(IdentityError, match="expired"):
        DeviceIdentity.load(keys, time.time() + 31 * DAY_S)
    with pytest.raises(IdentityError, match="clock"):
        DeviceIdentity.load(keys, time.time() - DAY_S)


def test_a_foreign_root_or_certificate_does_not_load(make_household: Any) -> None:
    ours, theirs = make_household(phone="phone"), make_household(phone="phone")
    shutil.copy(theirs.path / "phone" / "ca.pem", ours.path / "phone" / "ca.pem")
    with pytest.raises(IdentityError, match="not issued by this household"):
        ours.identity("phone")


def test_another_devices_certificate_does_not_fit_our_key(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    shutil.copy(household.path / "car" / "device.pem", household.path / "phone" / "device.pem")
    with pytest.raises(IdentityError, match="do not match"):
        household.identity("phone")


def _other_issuer(root: HouseholdRoot) -> HouseholdRoot:
    """A root with our household's name and id but a key of its own."""
    return HouseholdRoot(Path("/nonexistent"), new_key(), root._certificate, root.roster, bytes(32))


def test_a_certificate_in_our_name_by_another_key_is_foreign(make_household: Any) -> None:
    household = make_household(phone="phone")
    root = load_certificate(household.root.certificate_pem, "root")
    good = household.root.sign(request(new_key(), "x"), "tv", "home", time.time())
    assert check_certificate(load_certificate(good, "c"), root, time.time(), "It").role == "home"
    forged = _other_issuer(household.root).sign(request(new_key(), "x"), "tv", "home", time.time())
    with pytest.raises(IdentityError, match="not issued"):
        check_certificate(load_certificate(forged, "c"), root, time.time(), "It")


def test_the_roots_own_certificate_is_no_device(make_household: Any) -> None:
    root = load_certificate(make_household().root.certificate_pem, "root")
    with pytest.raises(IdentityError):
        check_certificate(root, root, time.time(), "It")


def _rsa_request() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _p384_request() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("make", [_rsa_request, _p384_request, lambda: b"", lambda: b"\0" * 99])
def test_only_p256_requests_are_signed(make_household: Any, make: Callable[[], bytes]) -> None:
    with pytest.raises(IdentityError):
        make_household().root.sign(make(), "tv", "home", time.time())


@pytest.mark.parametrize("device_id", ["", "Phone", "a/b", "a*", "x" * 41, "-a", "ä", "a b", "a\n"])
def test_ids_that_could_mean_more_than_a_name_are_refused(
    make_household: Any, device_id: str
) -> None:
    with pytest.raises(IdentityError, match="device id"):
        make_household().root.sign(request(new_key(), "x"), device_id, "car", time.time())


@pytest.mark.parametrize("role", ["venue", "", "root", "Phone"])
def test_roles_that_are_no_members_are_refused(make_household: Any, role: str) -> None:
    with pytest.raises(IdentityError, match="role"):
        make_household().root.sign(request(new_key(), "x"), "tv", role, time.time())


def test_a_taken_id_needs_the_same_key(make_household: Any) -> None:
    household = make_household(phone="phone")
    root, before = household.root, household.root.roster
    with pytest.raises(IdentityError, match="Another device"):
        root.admit(request(new_key(), "phone"), "phone", "phone", time.time(), "")
    assert root.roster == before
    key = household.identity("phone").key
    root.admit(request(key, "phone"), "phone", "phone", time.time(), "10.0.0.9:1")
    assert root.roster.serial == before.serial + 1
    assert root.roster.by_role("phone")[0].address == "10.0.0.9:1"


def test_revoking_raises_the_serial_and_devices_take_it(make_household: Any) -> None:
    household = make_household(phone="phone", car="car")
    phone = household.identity("phone")
    household.root.revoke("car")
    newer = phone.with_roster(household.root.signed_roster)
    assert newer.roster.member("car") is None
    assert household.identity("phone").roster == newer.roster  # kept on disk
    assert newer.with_roster(household.root.signed_roster) is newer
    with pytest.raises(IdentityError, match="No device"):
        household.root.revoke("car")


def test_an_older_or_unsigned_roster_changes_nothing(make_household: Any) -> None:
    household, foreign = make_household(phone="phone"), make_household(phone="phone")
    phone = household.identity("phone")
    old = household.root.signed_roster
    household.add("car", "car")
    newer = phone.with_roster(household.root.signed_roster)
    assert newer.with_roster(old) is newer
    with pytest.raises(WireError, match="not signed"):
        newer.with_roster(foreign.root.signed_roster)
    good = household.root.signed_roster
    key = certificate_key(newer.root, "root")
    assert open_roster(good, key).serial == newer.roster.serial
    for at in range(0, len(good), 7):
        spoilt = bytearray(good)
        spoilt[at] ^= 1
        with pytest.raises(WireError):
            open_roster(bytes(spoilt), key)


def test_the_home_is_a_device_of_its_own_household(tmp_path: Path) -> None:
    root = create_household(tmp_path / "keys", "Test", time.time())
    root.enrol("home", "home", time.time(), "127.0.0.1:1")
    home = DeviceIdentity.load(tmp_path / "keys", time.time())
    assert home.role == "home"
    assert home.roster == HouseholdRoot.load(tmp_path / "keys", time.time()).roster


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(IdentityError, match="cannot be made"):
        create_household(tmp_path / "file" / "keys", "Test", time.time())
