"""The venue's own side: what was typed or counted is signed, kept and served."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes
from hearthway.records.codec import pack, unpack
from hearthway.records.venue import Ahead, Followed, ForecastStatement, SignedWait, WaitStatement

from .forecast import VALID_S as FORECAST_VALID_S
from .forecast import sign_forecast
from .venue import VALID_S, encode_code, sign_wait
from .venue_link import Said, VenueServer

Curve = tuple[Ahead, ...]


class VenueDesk:
    """What the venue says: the wait its operator typed, or what its count expects. On disk before it is shown.

    `serve` is given where the curve comes from: a typed wait wins while it is fresh, and without either nothing is said.
    """

    def __init__(self, store: Store, key: Ed25519PrivateKey, *, osm_id: str, name: str) -> None:
        self.store = store
        self.osm_id = osm_id
        self.name = name
        self._key = key

    def tell(self, wait_min: float, now_s: float, *, valid_s: float = VALID_S) -> SignedWait:
        """Publish a wait from now on; InputError on an impossible one. The serial never repeats."""
        with self.store.database.transaction() as db:
            signed, serial = self._signed(wait_min, now_s, valid_s)
            db.execute(
                "INSERT OR REPLACE INTO own_wait VALUES (?, ?, ?)",
                (self.osm_id, serial, pack(signed)),
            )
        return signed

    def expect(self, curve: Curve, size: int, now_s: float) -> Said:
        """Sign a forecast from now on, and beside it the wait of now for phones that know no forecast.

        What was typed is kept as it is; the serial goes on.
        """
        with self.store.database.transaction() as db:
            signed, serial = self._signed(float(curve[0].wait_min), now_s, FORECAST_VALID_S)
            db.execute(
                "INSERT INTO own_wait VALUES (?, ?, NULL)"
                " ON CONFLICT (osm_id) DO UPDATE SET serial = excluded.serial",
                (self.osm_id, serial),
            )
        statement = ForecastStatement(
            osm_id=self.osm_id,
            issued_s=now_s,
            valid_until_s=now_s + FORECAST_VALID_S,
            serial=serial,
            size=size,
            curve=curve,
        )
        return signed, sign_forecast(self._key, statement)

    def _signed(self, wait_min: float, now_s: float, valid_s: float) -> tuple[SignedWait, int]:
        row = self.store.database.row(
            "SELECT serial FROM own_wait WHERE osm_id = ?", (self.osm_id,)
        )
        serial = 1 if row is None else int(row[0]) + 1
        statement = WaitStatement(
            osm_id=self.osm_id,
            name=self.name,
            wait_min=wait_min,
            issued_s=now_s,
            valid_until_s=now_s + valid_s,
            serial=serial,
        )
        return sign_wait(self._key, statement), serial

    def silence(self) -> None:
        """Publish nothing until the next wait is typed; the serial goes on from where it was."""
        with self.store.database.transaction() as db:
            db.execute("UPDATE own_wait SET signed = NULL WHERE osm_id = ?", (self.osm_id,))

    def current(self) -> SignedWait | None:
        """The last wait typed, expired or not: whoever asks checks that."""
        row = self.store.database.row(
            "SELECT signed FROM own_wait WHERE osm_id = ?", (self.osm_id,)
        )
        return None if row is None or row[0] is None else unpack(row[0], SignedWait)

    def typed(self, now_s: float) -> SignedWait | None:
        """The last wait typed while it holds."""
        signed = self.current()
        if signed is None or now_s >= unpack(signed.statement, WaitStatement).valid_until_s:
            return None
        return signed

    def serve(
        self, host: str, port: int, said: Callable[[], Said | None] | None = None
    ) -> VenueServer:
        """This venue's end of the link, not started yet. `said`: its word now; without it, the last wait typed."""
        return VenueServer(host, port, self._key, self.osm_id, said or self._last_typed)

    def _last_typed(self) -> Said | None:
        signed = self.current()
        return None if signed is None else (signed, None)

    def code(self, address: str) -> str:
        """The code people follow this venue by."""
        return encode_code(
            Followed(
                osm_id=self.osm_id, name=self.name, address=address, key=public_bytes(self._key)
            )
        )
