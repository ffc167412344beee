"""`hearthway charge`: when to charge a car by its departure. It says so and switches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from hearthway.app.clock import SystemClock
from hearthway.app.series import read_house
from hearthway.app.tariffs import read_tariff
from hearthway.assist.charging.explain import Reading, reading, sentence
from hearthway.assist.charging.fixed import at_once
from hearthway.assist.charging.plan import plan_charging
from hearthway.assist.charging.slots import Surpluses, slots_until
from hearthway.records.charging import Car, Plan
from hearthway.records.errors import InputError
from hearthway.records.tariff import Tariff

from .common import json_option, write_json

SHOWN_KWH = 0.005
PRICE_WIDTH = len("0.1400 to 0.2400")
YEARS = range(1971, 9_999)  # in which every zone has a local time, and a day after it


class Row(Struct, frozen=True, kw_only=True):
    """A piece of time in the plan."""

    begin: str
    end: str
    kwh: float
    buy: float
    sell: float
    surplus_kw: tuple[float, ...]
    charge_pct: float


class Told(Struct, frozen=True, kw_only=True):
    """The plan for a program."""

    sentence: str
    currency: str
    departure: str
    reading: Reading
    slots: tuple[Row, ...]


@click.group("charge")
def command() -> None:
    """Charging by a departure. It plans; it switches nothing."""


@command.command("plan")
@click.option(
    "--tariff",
    "tariff_file",
    type=click.Path(path_type=Path),
    required=True,
    help="A TOML file of prices.",
)
@click.option(
    "--departure", metavar="HH:MM", required=True, help="When it must be ready, or a date and time."
)
@click.option("--battery", metavar="KWH", type=float, required=True, help="What the battery holds.")
@click.option("--charge", metavar="PCT", type=float, required=True, help="State of charge now.")
@click.option(
    "--target",
    metavar="PCT",
    type=float,
    default=100.0,
    show_default=True,
    help="State of charge at departure.",
)
@click.option(
    "--full",
    metavar="PCT",
    type=float,
    help="The battery takes no more than this; at a price below nothing it is charged up to here. Default: the target.",
)
@click.option("--charger", metavar="KW", type=float, required=True, help="What the charger gives.")
@click.option(
    "--efficiency",
    type=float,
    default=0.9,
    show_default=True,
    help="What reaches the battery of a kWh at the plug.",
)
@click.option(
    "--house",
    type=click.Path(path_type=Path),
    help="The house's own past, a CSV of time,load_w,pv_w: sun and load are forecast from it.",
)
@click.option(
    "--connection",
    metavar="KW",
    type=float,
    help="What house and car may draw together; needs --house.",
)
@click.option("--now", metavar="TIME", help="Plan as of this moment instead.")
@json_option
def plan(
    tariff_file: Path,
    departure: str,
    battery: float,
    charge: float,
    target: float,
    full: float | None,
    charger: float,
    efficiency: float,
    house: Path | None,
    connection: float | None,
    now: str | None,
    json_to: Path | None,
) -> None:
    """The cheapest charging until the departure, beside charging at once.

    Run it again when a price, the sun or the car has changed: it plans from what is known then.
    """
    tariff = read_tariff(tariff_file)
    now_s = SystemClock().now_s() if now is None else _moment(now, tariff, "--now")
    car = Car(
        battery_kwh=battery,
        charge_pct=charge,
        target_pct=target,
        full_pct=max(target, charge) if full is None else full,
        charger_kw=charger,
        efficiency=efficiency,
    )
    departure_s = _departure(departure, now_s, tariff)
    if connection is not None and (house is None or not 0.0 < connection <= 1_000.0):
        raise InputError(
            "--connection needs more than 0 kW, at most 1000, and the house's past.",
            "Give --connection 17 --house FILE, or leave it out.",
        )
    slots = slots_until(departure_s, now_s, tariff.price, _surpluses(house, now_s, tariff))
    made, once = plan_charging(car, slots, connection), at_once(car, slots, connection)
    words = sentence(made, once, lambda time_s: _clock(time_s, now_s, tariff), tariff.currency)
    if json_to is not None:
        write_json(_told(made, once, words, tariff), json_to)
    if str(json_to) != "-":
        for line in _table(made, tariff, now_s):
            click.echo(line)
        click.echo(words)


def _surpluses(house: Path | None, now_s: float, tariff: Tariff) -> Surpluses:
    if house is None:
        return lambda _: (0.0,)
    ahead = read_house(house, now_s, tariff.offset_s)

    def known(time_s: float) -> tuple[float, ...]:
        found = ahead.surpluses(time_s)
        if not found:
            raise InputError(
                f"{house} tells too little for a forecast of {tariff.local(time_s):%Y-%m-%d %H:%M}.",
                "It needs that time of day on at least 3 of the 28 days before now.",
            )
        return found

    return known


def _departure(text: str, now_s: float, tariff: Tariff) -> float:
    """HH:MM is the next such time."""
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal()):
        return _moment(text, tariff, "--departure")
    today = tariff.local(now_s).replace(tzinfo=None, second=0, microsecond=0)
    try:
        wanted = today.replace(hour=int(hour), minute=int(minute))
    except (OverflowError, ValueError):
        raise InputError(f"{text[:40]!r} is no time of day.", "Write it as 07:10.") from None
    time_s = _there(wanted, tariff)
    return time_s if time_s > now_s else _there(wanted + timedelta(days=1), tariff)


def _moment(text: str, tariff: Tariff, option: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{option}: {text[:40]!r} is no date and time.", "Write it as 2026-11-29T07:10."
        ) from None
    if moment.year not in YEARS:
        raise InputError(
            f"{option}: nothing can be planned in the year {moment.year}.",
            "Write it as 2026-11-29T07:10.",
        )
    return _there(moment, tariff) if moment.tzinfo is None else moment.timestamp()


def _there(local: datetime, tariff: Tariff) -> float:
    """Unix time of a local time; the earlier of two, InputError where the clocks pass over it."""
    time_s = local.replace(tzinfo=tariff.local(0.0).tzinfo).timestamp()
    if tariff.local(time_s).replace(tzinfo=None) != local:
        raise InputError(
            f"{local:%H:%M} does not exist on {local:%Y-%m-%d}: the clocks go forward.",
            "Give a time an hour earlier or later.",
        )
    return time_s


def _clock(time_s: float, now_s: float, tariff: Tariff) -> str:
    """07:10, with the day where it is not within a day of now."""
    local = tariff.local(time_s)
    return f"{local:%H:%M}" if time_s - now_s < 86_400 else f"{local:%a %d %b %H:%M}"


def _told(made: Plan, once: Plan, words: str, tariff: Tariff) -> Told:
    rows = []
    charged = 0.0
    for slot, kwh in zip(made.slots, made.kwh, strict=True):
        charged += kwh
        rows.append(
            Row(
                begin=tariff.local(slot.begin_s).isoformat(),
                end=tariff.local(slot.end_s).isoformat(),
                kwh=kwh,
                buy=slot.buy,
                sell=slot.sell,
                surplus_kw=slot.surplus_kw,
                charge_pct=made.car.pct_after(charged),
            )
        )
    return Told(
        sentence=words,
        currency=tariff.currency,
        departure=tariff.local(made.departure_s).isoformat(),
        reading=reading(made, once),
        slots=tuple(rows),
    )


def _table(made: Plan, tariff: Tariff, now_s: float) -> Iterator[str]:
    """A line for each run of slots in which it charges."""
    runs: list[list[int]] = []
    for i, kwh in enumerate(made.kwh):
        if kwh < SHOWN_KWH:
            continue
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    if not runs:
        return
    spans = [
        [_clock(s, now_s, tariff) for s in (made.slots[a[0]].begin_s, made.slots[a[-1]].end_s)]
        for a in runs
    ]
    wide = [max(5, *map(len, column)) for column in zip(*spans, strict=True)]
    price = f"grid {tariff.currency}/kWh"
    wide_price = max(PRICE_WIDTH, len(price))
    begins, ends = "from".ljust(wide[0]), "to".ljust(wide[1])
    yield f"  {begins}  {ends}      kWh   mean kW   {price:>{wide_price}}   battery then"
    for run, (begin, end) in zip(runs, spans, strict=True):
        kwh = sum(made.kwh[i] for i in run)
        prices = [made.slots[i].buy for i in run]
        low, high = f"{min(prices):.4f}", f"{max(prices):.4f}"
        shown = low if low == high else f"{low} to {high}"
        hours = sum(made.slots[i].hours for i in run)
        pct = made.car.pct_after(sum(made.kwh[: run[-1] + 1]))
        yield (
            f"  {begin:<{wide[0]}}  {end:<{wide[1]}}  {kwh:7.2f}   {kwh / hours:7.2f}   "
            f"{shown:>{wide_price}}   {pct:10.0f} %"
        )
