"""What driving asks of a car's battery, in the few terms of its physics.

Charge used = w . x. The effort x of a drive: way (rolling), speed squared along it by the air's density (air), the change of
kinetic and potential energy, what braking takes out again, time (whatever is switched on), heating and cooling (steady, and
warming up a cabin and a battery that begin at the air's temperature). Which moments are braking is judged with a middling
car's resistance; how much of it is lost is w's to learn. Units: km, (m/s)^2 km, J/kg, hours, kelvin hours, kelvin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import exp

from msgspec import Struct, field

WAY, AIR, LIFT, LOST, HOURS, HEAT, WARM_CABIN, WARM_BATTERY, COOL = range(9)
SIZE = 9
G = 9.81
ROLLING_N_KG = 0.009 * G  # per kg of a middling car
AIR_N_KG = 0.5 * 1.225 * 0.65 / 1_750.0  # the same, per (m/s)^2
WANTED_C, BATTERY_COLD_C, HOT_C = 21.0, 7.0, 23.0
CABIN_WARM_S = 90.0
BATTERY_WARM_S_K = 45.0  # a battery heater runs so long for each kelvin below BATTERY_COLD_C
DENSITY_ONE_C = 15.0
SLOWED_EVERY_M = (
    2_000.0  # crossings and bends that the map's speeds do not show: one to half the speed
)


class Stretch(Struct, frozen=True, kw_only=True):
    """A part of the way ahead. `speed_mps` is the map's; `rise_m` its end above its start, 0 where unknown."""

    length_m: float
    speed_mps: float
    rise_m: float = 0.0


def density(air_c: float | None) -> float:
    """Of the air, 1 at 15 C and where the temperature is unknown."""
    return 1.0 if air_c is None else (DENSITY_ONE_C + 273.15) / (air_c + 273.15)


class Effort(Struct, kw_only=True):
    """x of a drive, with its length and time."""

    x: list[float] = field(default_factory=lambda: [0.0] * SIZE)
    length_m: float = 0.0
    seconds: float = 0.0

    def drive(
        self,
        elapsed_s: float,
        step_s: float,
        before_mps: float,
        after_mps: float,
        *,
        metres: float | None = None,
        rise_m: float = 0.0,
        air_c: float | None = None,
    ) -> None:
        """Adds `step_s` seconds that begin `elapsed_s` into the trip; `metres` where the way is known better."""
        if metres is None:
            metres = (before_mps + after_mps) / 2.0 * step_s
        v = metres / step_s
        lift = (after_mps**2 - before_mps**2) / 2.0 + G * rise_m
        self._add(metres, v * v * metres, lift, _lost(metres, v, lift), air_c)
        self._hours(elapsed_s, step_s, air_c)

    def plan(
        self,
        elapsed_s: float,
        way: Sequence[Stretch],
        now_mps: float,
        *,
        air_c: float | None,
        ratios: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Adds the way ahead, entered at `now_mps`; `ratios` to the map: of time, air and loss."""
        slower, airier, rougher = ratios
        begin_s, entered = elapsed_s, now_mps
        for here, after in zip_longest(way, way[1:]):
            v = max(1.0, here.speed_mps)
            left = after.speed_mps if after is not None else 0.0
            step_s = here.length_m / v * slower
            steady = _lost(here.length_m, v, G * here.rise_m)
            slowing = max(0.0, v * v - left * left) / 2.0
            slowing += 0.375 * v * v * here.length_m / SLOWED_EVERY_M
            lift = G * here.rise_m + ((0.0 - entered * entered) / 2.0 if after is None else 0.0)
            self._add(
                here.length_m,
                v * v * here.length_m * airier,
                lift,
                (steady + slowing) * rougher,
                air_c,
            )
            self._hours(begin_s, step_s, air_c)
            begin_s += step_s

    def _add(
        self, metres: float, air: float, lift: float, lost: float, air_c: float | None
    ) -> None:
        self.x[WAY] += metres / 1000.0
        self.x[AIR] += air / 1000.0 * density(air_c)
        self.x[LIFT] += lift
        self.x[LOST] += lost
        self.length_m += metres

    def _hours(self, from_s: float, step_s: float, air_c: float | None) -> None:
        self.seconds += step_s
        hours, to_s = step_s / 3600.0, from_s + step_s
        self.x[HOURS] += hours
        if air_c is None:
            return
        cold, hot = max(0.0, WANTED_C - air_c), max(0.0, air_c - HOT_C)
        self.x[HEAT] += cold * hours
        self.x[COOL] += hot * hours
        self.x[WARM_CABIN] += (cold + hot) * (
            exp(-from_s / CABIN_WARM_S) - exp(-to_s / CABIN_WARM_S)
        )
        heated_s = BATTERY_WARM_S_K * max(0.0, BATTERY_COLD_C - air_c)
        self.x[WARM_BATTERY] += (min(to_s, heated_s) - min(from_s, heated_s)) / 3600.0


def _lost(metres: float, v: float, lift: float) -> float:
    """J/kg that the wheels give back: lift beyond what rolling and air take anyway."""
    return max(0.0, -lift - (ROLLING_N_KG + AIR_N_KG * v * v) * metres)
