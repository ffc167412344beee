"""What is said of charging: every figure with what it rests on, and what is unknown as unknown."""

from __future__ import annotations

from hearthway.records.count import count_of
from hearthway.records.poi import Poi
from hearthway.records.situation import Battery, Stand, Tomorrow

from .settings import RESERVE_PCT
from .short import charged_kwh, home_short_p, tomorrow_short_p


def home_line(battery: Battery) -> str:
    """How probably home is short."""
    reserve = f"below {RESERVE_PCT:.0f} % at home with p {home_short_p(battery):.2f}"
    return f"charge there: {reserve} ({count_of(battery.trips, 'trip')} of this car):"


def tomorrow_line(battery: Battery, tomorrow: Tomorrow) -> str:
    """How probably tomorrow's first trip is short, and what tells of it."""
    p = tomorrow_short_p(battery)
    reserve = f"below {RESERVE_PCT:.0f} % after tomorrow's first trip with p {p:.2f}"
    return f"charge there: {reserve} ({first_trip(tomorrow)}):"


def first_trip(tomorrow: Tomorrow) -> str:
    """ "8-31 km, driven on 9 of 12 Mondays", "31 km to what your calendar has first"."""
    low, high = (round(end(tomorrow.ways_m) / 1000.0) for end in (min, max))
    km = f"{low} km" if low == high else f"{low}-{high} km"
    if tomorrow.source == "calendar":
        return f"{km} for what your calendar has first, driven with p {tomorrow.p_drives:.2f} (assumed)"
    driven = round(tomorrow.p_drives * tomorrow.days)
    return f"{km}, driven on {driven} of {tomorrow.days} {tomorrow.kind}"


def standing_line(battery: Battery, *, tomorrow: bool) -> str:
    """How long one usually stays there, and for tomorrow's sake that nothing is charged at home."""
    there, home = battery.there, battery.home
    stay = "how long you stay there is not known yet"
    if isinstance(there, Stand) and there.usual_s is not None:
        stay = f"you usually stay {_long(there.usual_s)} ({count_of(there.stays, 'stay')})"
    if tomorrow and isinstance(home, Stand):
        stay += f" · at home the car was charged {home.charged} of {count_of(home.stood, 'time')}"
    return stay


def power_words(battery: Battery, poi: Poi) -> str:
    """What a charger gives, in the time one usually stays where that is known; nobody tells whether it is free."""
    if not isinstance(poi.power_kw, float):
        return "power, free or taken unknown"
    words = f"up to {poi.power_kw:.0f} kW"
    kwh = charged_kwh(battery, poi.power_kw)
    if kwh is not None:
        words += f", at most {kwh:.0f} kWh while you stay"
    return f"{words} · free or taken unknown"


def _long(seconds: float) -> str:
    minutes = seconds / 60.0
    return f"{minutes:.0f} min" if minutes < 90.0 else f"{minutes / 60.0:.1f} h"
