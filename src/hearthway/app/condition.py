"""How a device is that may compute for others: its battery and its heat, as far as it knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hearthway.records.signals import Signal
from hearthway.sense.catalogue import PHONE_BATTERY, is_fresh

from .config import OffloadTable

AGAIN_PCT, AGAIN_C = 5.0, 3.0  # so much better than the limit before it computes for others again
SYS = Path("/sys/class")
HEAT_MIN_C, HEAT_MAX_C = -40.0, 150.0  # what a zone says beyond is no temperature


class Condition:
    """What the device's own word and its kernel say; what neither says is unknown, and limits nothing."""

    def __init__(
        self, table: OffloadTable, now_s: Callable[[], float], sys_class: Path = SYS
    ) -> None:
        self._table = table
        self._now_s = now_s
        self._sys = sys_class
        self._told: Signal | None = None
        self._low = self._hot = False

    def hear(self, signals: Iterable[Signal]) -> None:
        """The phone's own word of its battery."""
        for signal in signals:
            newer = self._told is None or signal.time_s >= self._told.time_s
            if signal.key == PHONE_BATTERY and newer:
                self._told = signal

    def battery_pct(self) -> float | None:
        """What is left: as it told itself lately, else as the kernel says; None where nobody does."""
        told = self._told
        if told is not None and is_fresh(told, self._now_s()) and isinstance(told.value, float):
            return told.value
        found = [_number(supply / "capacity") for supply in self._supplies("Battery")]
        known = [value for value in found if value is not None and 0.0 <= value <= 100.0]
        return min(known, default=None)

    def on_battery(self) -> bool | None:
        """Does it drain one? None where the kernel does not say."""
        states = [_text(supply / "status") for supply in self._supplies("Battery")]
        if not any(states):
            return None
        return any(state == "Discharging" for state in states)

    def heat_c(self) -> float | None:
        """Of its warmest zone; None where there is none."""
        zones = sorted((self._sys / "thermal").glob("thermal_zone*"))
        read = (_number(zone / "temp") for zone in zones)
        degrees = [value / 1000.0 for value in read if value is not None]
        return max((c for c in degrees if HEAT_MIN_C < c < HEAT_MAX_C), default=None)

    def why_not(self) -> str:
        """Why it computes for nobody else now; "" where it does."""
        if not self._table.lend:
            return "its owner lets it compute for nobody else"
        battery, floor = self.battery_pct(), self._table.battery_floor_pct
        if battery is None or self.on_battery() is False:
            self._low = False
        else:
            self._low = battery < floor + (AGAIN_PCT if self._low else 0.0)
        if self._low:
            return f"its battery has {battery:.0f} %, and it keeps {floor:.0f} % for itself"
        heat, most = self.heat_c(), self._table.heat_max_c
        self._hot = heat is not None and heat > most - (AGAIN_C if self._hot else 0.0)
        if self._hot:
            return f"it has {heat:.0f} degrees, and {most:.0f} are allowed"
        return ""

    def _supplies(self, kind: str) -> list[Path]:
        found = sorted((self._sys / "power_supply").glob("*"))
        return [supply for supply in found if _text(supply / "type") == kind]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
