"""What a phone knows that a charging plan needs: charge, battery, departure, and the price of this hour, each with its source and age."""

from __future__ import annotations

from msgspec import Struct

from hearthway.context.departing import AHEAD_DAYS, Leaves
from hearthway.context.life import Life
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.calendar import entries
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.life import LIFE_MODEL
from hearthway.records.localtime import DAY_S, zone_at
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import PRICE, is_fresh

from .brain import feed, history_of
from .calendar import days_off_of
from .collecting import rules_of
from .config import Config
from .control import Control, running
from .owner import stored_owner
from .paths import NodePaths


class Known(Struct, frozen=True, kw_only=True):
    """A value, who told it, and how long ago (seconds; None where that says nothing)."""

    value: float
    source: str
    age_s: float | None = None


class CarKnown(Struct, frozen=True, kw_only=True):
    """None: nobody told. Percent, kWh, Unix seconds, and currency a kWh; `zone` is where the car stands."""

    charge: Known | None = None
    battery: Known | None = None
    departure: Known | None = None
    price: Known | None = None
    price_s: float = 0.0  # when that price was told
    charge_s: float = 0.0  # when that charge was
    zone: str = ""


def known_of(life: Life, store: Store, now_s: float, price: Signal | None = None) -> CarKnown:
    """As learned and told so far; `price` is the house's latest word of it."""
    battery = life.state.battery
    until_s = now_s + AHEAD_DAYS * DAY_S
    leaves = life.leaving(now_s, entries(store, life.person, now_s, until_s))
    return CarKnown(
        charge=_told(battery.soc_pct, battery.source, now_s - battery.soc_time_s),
        battery=_told(battery.size_kwh, battery.size_source, now_s - battery.size_s),
        departure=None if leaves is None else _leaving(leaves, now_s),
        price=_price(price, now_s),
        price_s=0.0 if price is None else price.time_s,
        charge_s=battery.soc_time_s,
        zone=_zone(life),
    )


def _told(value: float | None, source: str, age_s: float) -> Known | None:
    if value is None:
        return None
    return Known(value=value, source=source or "the car", age_s=max(0.0, age_s))


def _leaving(leaves: Leaves, now_s: float) -> Known:
    if leaves.source == "calendar":
        age_s = None if leaves.told_s is None else max(0.0, now_s - leaves.told_s)
        return Known(value=leaves.time_s, source="the calendar's next way", age_s=age_s)
    words = f"the first trip of {leaves.kind} ({leaves.drove} of {leaves.days})"
    return Known(value=leaves.time_s, source=words)


def _price(price: Signal | None, now_s: float) -> Known | None:
    if price is None or not isinstance(price.value, float | int) or not is_fresh(price, now_s):
        return None
    age_s = max(0.0, now_s - price.time_s)
    return Known(value=float(price.value), source=price.source or PRICE, age_s=age_s)


def _zone(life: Life) -> str:
    state = life.state
    at = state.last if state.car.at is None else state.places[state.car.at]
    return "" if at is None else zone_at(at.lat, at.lon)


_MISSING = {
    "charge": ("How full the battery is", "--charge PCT"),
    "battery": ("What the battery holds", "--battery KWH"),
    "departure": ("When the car must be ready", "--departure HH:MM"),
}


def need(known: CarKnown, name: str, step: str = "") -> Known:
    """That value; InputError says who would have told it, and the option that says it (or `step`)."""
    found: Known | None = getattr(known, name)
    if found is not None:
        return found
    what, option = _MISSING[name]
    by = "the calendar and past first trips say nothing" if name == "departure" else "no car told"
    raise InputError(
        f"{what} is not known: {by}.", step or f"Say it: `hearthway charge plan {option}`."
    )


def known_at(paths: NodePaths, config: Config, now_s: float) -> CarKnown:
    """As the running phone knows it, else as its store does; InputError where nobody lives there."""
    import msgspec

    if running(paths.socket):
        with Control(paths.socket) as control:
            return msgspec.convert(control.ask("charge-known", now_s=now_s)["known"], CarKnown)
    with Store.open(paths.database, node_id=config.node.id) as store:
        owner = stored_owner(store, paths, config.node.id)
        if owner is None:
            raise InputError(
                "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
            )
        return known_of(_stored_life(store, owner.person_id, rules_of(paths)), store, now_s)


def _stored_life(store: Store, person_id: str, rules: Rules) -> Life:
    """What was learned, with what was stored since; nothing is written."""
    kept = store.model(person_id, LIFE_MODEL)
    off = days_off_of(store, person_id)
    life = Life(person_id, days_off=off) if kept is None else Life.load(kept.data, days_off=off)
    for item in history_of(store, person_id, since_s=None if kept is None else kept.until_s):
        feed(life, item, rules)
    return life
