"""The grants a node keeps: those it was given, and on the home those it gave. One file, 0600."""

from __future__ import annotations

from pathlib import Path
from threading import RLock

import msgspec
from msgspec import Struct

from hearthway.mesh.trust.keyfiles import write_private
from hearthway.mesh.wire.checks import READ
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, InputError, WireError

from .grants import GrantBook, Said, said

KEPT_MAX = 1000
HANDED = "Household.Grant"  # the home hands a grant to its holder under this key


class Handed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant on its way to the device that may use it."""

    token: bytes


class Kept(Struct, frozen=True, kw_only=True):
    """One grant. `handed`: its holder has it."""

    token: bytes
    handed: bool = False


class Tokens:
    """Grants in the order they came. Changes are on disk when the call returns; not for the event loop."""

    def __init__(self, path: Path) -> None:
        """WireError for a file that is no list of grants: it is left as it is."""
        self._path = path
        self._lock = RLock()  # changes come from threads beside the event loop
        self._kept: tuple[Kept, ...] = ()
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as why:
            raise WireError(
                f"{path} cannot be read: {why.strerror}.", "Give this user permission to read it."
            ) from None
        try:
            self._kept = codec.unpack(data, tuple[Kept, ...])
        except HearthwayError:
            raise WireError(
                f"{path} holds no grants any more: it is damaged.",
                "Move it away; grants can be given again.",
            ) from None

    def all(self) -> tuple[tuple[Kept, Said], ...]:
        """Every grant that holds, with what it says."""
        found = []
        for kept in self._kept:
            try:
                found.append((kept, said(kept.token)))
            except WireError:
                continue  # of an older or newer form: kept, and of no use here
        return tuple(found)

    def one(self, grant_id: str) -> tuple[Kept, Said]:
        """The newest grant of that id; InputError where there is none."""
        for kept, what in reversed(self.all()):
            if what.grant_id == grant_id:
                return kept, what
        raise InputError(
            f"There is no grant {grant_id} here.", "`hearthway grant list` shows them."
        )

    def add(self, token: bytes) -> bool:
        """Keep it; False when it is kept already. WireError for one that does not hold, InputError for too many."""
        said(token)
        with self._lock:
            if any(kept.token == token for kept in self._kept):
                return False
            if len(self._kept) >= KEPT_MAX:
                raise InputError(
                    "Too many grants are kept here.", "`hearthway grant drop ID` removes one."
                )
            self._write((*self._kept, Kept(token=token)))
            return True

    def drop(self, grant_id: str) -> None:
        """Remove every grant of that id; InputError where there is none."""
        with self._lock:
            gone = {kept.token for kept, what in self.all() if what.grant_id == grant_id}
            if not gone:
                self.one(grant_id)
            self._write(tuple(kept for kept in self._kept if kept.token not in gone))

    def was_handed(self, token: bytes) -> None:
        """Its holder has it now."""
        with self._lock:
            self._write(
                tuple(
                    msgspec.structs.replace(kept, handed=True) if kept.token == token else kept
                    for kept in self._kept
                )
            )

    def waiting(self, holder: str, now_s: float) -> tuple[bytes, ...]:
        """What that device was given and does not have yet."""
        return tuple(
            kept.token
            for kept, what in self.all()
            if what.holder == holder and not kept.handed and now_s < what.until_s
        )

    def for_key(
        self, book: GrantBook, key: str, holder: str, now_s: float, operation: str = READ
    ) -> bytes:
        """The newest grant that lets `holder` do this now; b"" where none does."""
        for kept in reversed(self._kept):
            if book.allows(kept.token, key, operation, holder, now_s) is not None:
                return kept.token
        return b""

    def _write(self, kept: tuple[Kept, ...]) -> None:
        write_private(self._path, codec.pack(kept))
        self._kept = kept
