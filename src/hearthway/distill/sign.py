"""The signature of a student, beside it on disk."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.trust.artefacts import sign_as_publisher, sign_for_household, stated
from hearthway.mesh.trust.root import HouseholdRoot
from hearthway.mesh.trust.signing import public_bytes, signing_key
from hearthway.records.artefact import SUFFIX
from hearthway.records.errors import IdentityError

from .stages import write_whole


class Signer:
    """The household's root where it is at hand, else a publisher's key."""

    def __init__(self, root: HouseholdRoot | None, key_file: Path) -> None:
        """`key_file` is made on first use, and not asked for where there is a root. IdentityError where it is unusable."""
        self._root = root
        self._key: Ed25519PrivateKey | None = None if root is not None else signing_key(key_file)

    @property
    def words(self) -> str:
        """Who signs."""
        if self._key is not None:
            return f"publisher {public_bytes(self._key).hex()}"
        return "this household" if self._root is not None else "nobody"

    def sign(self, file: Path, *, task: str, name: str, serial: int) -> Path:
        """Write the signature of `file` beside it."""
        statement = stated(task=task, data=file.read_bytes(), name=name[:120], serial=serial)
        signed = (
            sign_for_household(statement, self._root)
            if self._root is not None
            else sign_as_publisher(statement, self._own())
        )
        beside = file.with_name(file.name + SUFFIX)
        write_whole(beside, signed)
        return beside

    def _own(self) -> Ed25519PrivateKey:
        if self._key is None:
            raise IdentityError("There is no key to sign with.", "Name one with --key FILE.")
        return self._key
