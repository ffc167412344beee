"""A place's own word about its wait: signed by the venue's key, valid for a while, about nobody."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class WaitStatement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator typed, or the place's count of now. `wait_min` holds from `issued_s` until `valid_until_s` (Unix seconds)."""

    osm_id: str
    name: str
    wait_min: float
    issued_s: float
    valid_until_s: float
    serial: int


class SignedWait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`statement` is the canonical bytes of a WaitStatement; Ed25519 over them by `key`."""

    statement: bytes
    key: bytes
    signature: bytes


class Ahead(Struct, frozen=True, array_like=True):
    """The mean wait, in minutes, of a party that comes `in_min` after the forecast was made; 8 in 10 lie from low to high."""

    in_min: int
    wait_min: int
    low_min: int
    high_min: int


class ForecastStatement(Struct, frozen=True, kw_only=True):
    """What the place expects by its own count, for a party of `size` that comes now or later (Unix seconds)."""

    osm_id: str
    issued_s: float
    valid_until_s: float
    serial: int
    size: int
    curve: tuple[Ahead, ...]


class SignedForecast(Struct, frozen=True, kw_only=True):
    """`statement` is the canonical bytes of a ForecastStatement; Ed25519 over them, after a context, by the venue."""

    statement: bytes
    signature: bytes


class Party(Struct, frozen=True, kw_only=True):
    """Guests that came together, as a number: when they came, sat down, and left the table or the queue."""

    number: int
    size: int
    came_s: float
    seated_s: float | None = None
    left_s: float | None = None


class Followed(Struct, frozen=True, kw_only=True):
    """A venue the person chose to follow: its key came by QR or code, never by trust on first use."""

    osm_id: str
    name: str
    address: str  # host:port on a link of its own
    key: bytes


class Likely(Struct, frozen=True, kw_only=True):
    """The wait on arrival lies between these in 8 of 10 cases, the place says."""

    low_min: float
    high_min: float


class Wait(Struct, frozen=True, kw_only=True):
    """A wait as it may be shown: None minutes reads "unknown", and `why` says why.

    With `likely` it is a forecast for the arrival, else what was told of now. Unset it leaves no trace in the bytes.
    """

    osm_id: str
    minutes: float | None = None
    age_s: float | None = None
    source: str = ""
    why: str = ""
    likely: Likely | UnsetType = UNSET


class Told(Struct, frozen=True, kw_only=True):
    """What a venue said: a wait of now, and perhaps its forecast. `at_arrival` picks from it what may be shown."""

    wait: Wait
    forecast: ForecastStatement | None = None
