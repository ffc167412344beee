"""What is sensed: a keyed, typed, timed value with unit and source, and the fix that positions add up to."""

from __future__ import annotations

from msgspec import Struct

Value = float | str | bool | None


class Signal(Struct, frozen=True, kw_only=True):
    """One reading. `time_s` is Unix event time; `key` stands in `sense.catalogue`."""

    key: str
    value: Value
    time_s: float
    unit: str = ""
    source: str = ""  # node id, or the counterpart behind an adapter
    person: str = ""  # whose it is; empty for a thing's own reading


class Fix(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One position, as people's history files and phones give it."""

    time_s: float
    lat: float
    lon: float
    accuracy_m: float | None = None
    speed_mps: float | None = None
