"""The battery as expected: consumption learned from how the charge fell over past trips."""

from __future__ import annotations

from msgspec import Struct, field

MIN_TRIP_KM = 2.0
MIN_TRIPS = 3
KEPT_TRIPS = 40
ROAD_FACTOR = 1.3  # way by road over bee-line, until this person's own trips say otherwise


class BatteryState(Struct):
    """What is known of the battery; percentages."""

    soc_pct: float | None = None
    soc_time_s: float = 0.0
    source: str = ""
    start_pct: float | None = None  # at the start of this trip
    rose: bool = False  # charged on the way: such a trip teaches nothing
    used: list[tuple[float, float]] = field(default_factory=list)  # (percent, km) of past trips

    def reading(self, soc_pct: float, time_s: float, source: str) -> None:
        """Take a state of charge."""
        if time_s < self.soc_time_s:
            return
        if self.soc_pct is not None and soc_pct > self.soc_pct + 1.0:
            self.rose = True
        self.soc_pct, self.soc_time_s, self.source = soc_pct, time_s, source
        if self.start_pct is None:
            self.start_pct = soc_pct

    def depart(self) -> None:
        """A trip begins."""
        self.start_pct = self.soc_pct
        self.rose = False

    def arrive(self, length_m: float) -> None:
        """A trip of `length_m` is over."""
        km = length_m / 1000.0
        if (
            self.start_pct is not None
            and self.soc_pct is not None
            and not self.rose
            and km >= MIN_TRIP_KM
            and self.start_pct > self.soc_pct
        ):
            self.used.append((self.start_pct - self.soc_pct, km))
            del self.used[:-KEPT_TRIPS]
        self.start_pct = self.soc_pct
        self.rose = False

    def pct_per_km(self) -> float | None:
        """Mean consumption over the past trips; None below `MIN_TRIPS`."""
        if len(self.used) < MIN_TRIPS:
            return None
        return sum(pct for pct, _ in self.used) / sum(km for _, km in self.used)
