"""A student is loaded when the household's root or a named publisher stands by exactly its bytes, and never otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.trust.artefacts import (
    Trusted,
    check_artefact,
    open_statement,
    sign_as_publisher,
    sign_for_household,
    stated,
)
from hearthway.mesh.trust.certificates import certificate_key
from hearthway.mesh.trust.root import HouseholdRoot, create_household
from hearthway.mesh.trust.signing import public_bytes
from hearthway.records import codec
from hearthway.records.artefact import SIGNATURE_MAX_BYTES, SignedArtefact
from hearthway.records.errors import IdentityError, WireError

NOW_S = 1_790_000_000.0
DATA = b"not a student, but bytes that one may sign"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def _statement(data: bytes = DATA, task: str = "modes") -> bytes:
    return sign_as_publisher(stated(task=task, data=data, name="Trip mode", serial=7), KEY)


def _publisher() -> Trusted:
    return Trusted(publishers=frozenset({public_bytes(KEY)}))


def _root(path: Path) -> tuple[HouseholdRoot, Trusted]:
    root = create_household(path, "Home", NOW_S)
    from cryptography import x509

    key = certificate_key(x509.load_pem_x509_certificate(root.certificate_pem), "The root")
    return root, Trusted(root.household_id, key)


def test_both_kinds_of_signers_are_believed_about_their_bytes(tmp_path: Path) -> None:
    root, trusted = _root(tmp_path / "keys")
    statement = stated(task="needs", data=DATA, name="Needs", serial=3)
    found = check_artefact(DATA, sign_for_household(statement, root), trusted)
    assert found == msgspec.structs.replace(statement, household_id=root.household_id)
    assert check_artefact(DATA, _statement(), _publisher()).task == "modes"


def test_other_bytes_are_refused() -> None:
    for other in (DATA + b"\0", DATA[:-1], b"", bytes([DATA[0] ^ 1]) + DATA[1:]):
        with pytest.raises(IdentityError, match="its content differs"):
            check_artefact(other, _statement(), _publisher())


def test_nobody_is_trusted_before_he_is_named(tmp_path: Path) -> None:
    root, trusted = _root(tmp_path / "keys")
    with pytest.raises(IdentityError, match="not signed by this household"):
        open_statement(_statement(), trusted)
    with pytest.raises(IdentityError, match="not signed by this household"):
        open_statement(
            sign_for_household(stated(task="needs", data=DATA, name="", serial=1), root),
            _publisher(),
        )
    assert open_statement(_statement(), _publisher()).serial == 7, "the control"


def test_another_household_s_root_signs_nothing_here(tmp_path: Path) -> None:
    theirs, _ = _root(tmp_path / "theirs")
    _, ours = _root(tmp_path / "ours")
    signed = sign_for_household(stated(task="needs", data=DATA, name="", serial=1), theirs)
    with pytest.raises(IdentityError):
        open_statement(signed, ours)
    same_key = Trusted("0123456789abcdef", _root(tmp_path / "third")[1].root)
    with pytest.raises(IdentityError):
        open_statement(signed, same_key)


def test_a_publisher_speaks_for_no_household() -> None:
    claimed = msgspec.structs.replace(
        stated(task="needs", data=DATA, name="", serial=1), household_id="0123456789abcdef"
    )
    with pytest.raises(IdentityError, match="another household"):
        open_statement(sign_as_publisher(claimed, KEY), _publisher())


@pytest.mark.parametrize(
    "change",
    [{"task": "../up"}, {"task": ""}, {"identity": "F" * 64}, {"size_bytes": 0}, {"serial": -1}],
)
def test_a_signed_statement_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    statement = stated(task="needs", data=DATA, name="", serial=1)
    with pytest.raises(WireError, match="makes no sense"):
        open_statement(
            sign_as_publisher(msgspec.structs.replace(statement, **change), KEY), _publisher()
        )


def test_a_signature_for_something_else_does_not_count() -> None:
    """The same key signs other statements as well: without the context of artefacts it says nothing here."""
    body = codec.pack(stated(task="needs", data=DATA, name="", serial=1))
    signed = SignedArtefact(statement=body, signature=KEY.sign(body), key=public_bytes(KEY))
    with pytest.raises(IdentityError):
        open_statement(codec.pack(signed), _publisher())


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_of_the_signature_never_passes(place: int, flip: int) -> None:
    signed = bytearray(_statement())
    signed[place % len(signed)] ^= flip
    with pytest.raises((IdentityError, WireError)):
        open_statement(bytes(signed), _publisher())


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises((IdentityError, WireError)):
        open_statement(noise, _publisher())
    with pytest.raises(WireError, match="too long"):
        open_statement(b"\0" * (SIGNATURE_MAX_BYTES + 1), _publisher())
