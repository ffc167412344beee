"""`hearthway charge`: when to charge a car by its departure. It says so and switches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from msgspec import Struct

from hearthway.app.charge_known import CarKnown, known_at, need
from hearthway.app.charge_plan import Asked, Made, clock_in, made
from hearthway.app.charge_watch import at
from hearthway.app.clock import SystemClock
from hearthway.app.config import ChargingTable, Config
from hearthway.app.paths import NodePaths
from hearthway.app.tariffs import read_tariff
from hearthway.assist.charging.explain import Reading
from hearthway.records.charging import Car
from hearthway.records.errors import ConfigError, InputError

from .common import ago, data_option, json_option, phone, write_json

SHOWN_KWH = 0.005
PRICE_WIDTH = len("0.1400 to 0.2400")
TARIFF, CHARGER = "--tariff FILE", "--charger KW"
SET_THERE = frozenset((TARIFF, CHARGER))  # what node.toml may say of them
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


class Used(Struct, frozen=True, kw_only=True):
    """A value that was planned with: typed, or from the phone; `age_s` None where that says nothing."""

    name: str
    shown: str
    source: str
    age_s: float | None = None


class Told(Struct, frozen=True, kw_only=True):
    """The plan for a program. `used` is empty where all was typed."""

    sentence: str
    currency: str
    departure: str
    reading: Reading
    slots: tuple[Row, ...]
    used: tuple[Used, ...] = ()
    notes: tuple[str, ...] = ()


@click.group("charge")
def command() -> None:
    """Charging by a departure. It plans; it switches nothing."""


@command.command("plan")
@click.option(
    "--tariff",
    "tariff_file",
    type=click.Path(path_type=Path),
    help="A TOML file of prices. Default: charging.tariff of the phone.",
)
@click.option(
    "--departure",
    metavar="HH:MM",
    help="When it must be ready, or a date and time. Default: the calendar's next way, or the usual first trip.",
)
@click.option(
    "--battery", metavar="KWH", type=float, help="What the battery holds. Default: as the car told."
)
@click.option(
    "--charge",
    metavar="PCT",
    type=float,
    help="State of charge now. Default: as the car told last.",
)
@click.option(
    "--target",
    metavar="PCT",
    type=float,
    help="State of charge at departure. Default: charging.target_pct of the phone, else 100.",
)
@click.option(
    "--full",
    metavar="PCT",
    type=float,
    help="The battery takes no more than this; at a price below nothing it is charged up to here. Default: the target.",
)
@click.option(
    "--charger",
    metavar="KW",
    type=float,
    help="What the charger gives. Default: charging.charger_kw of the phone.",
)
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
@data_option
@json_option
def plan(
    tariff_file: Path | None,
    departure: str | None,
    battery: float | None,
    charge: float | None,
    target: float | None,
    full: float | None,
    charger: float | None,
    efficiency: float,
    house: Path | None,
    connection: float | None,
    now: str | None,
    data: Path | None,
    json_to: Path | None,
) -> None:
    """The cheapest charging until the departure, beside charging at once.

    What is not typed is asked of the phone found here (or in --data), and shown with its source and age. With everything
    typed no phone is needed. Run it again when a price, the sun or the car has changed: it plans from what is known then.
    """
    typed: dict[str, object] = {
        TARIFF: tariff_file,
        CHARGER: charger,
        "--charge PCT": charge,
        "--battery KWH": battery,
        "--departure HH:MM": departure,
    }
    missing = [option for option, value in typed.items() if value is None]
    wall_s = SystemClock().now_s()
    here = _Here()
    if missing or data is not None:
        here = _asked_here(data, wall_s, missing)
    table = here.table
    tariff_at = here.file(table.tariff) if tariff_file is None else str(tariff_file)
    charger_kw = charger if charger is not None else table.charger_kw or None
    if not tariff_at or charger_kw is None:
        raise _unset(tariff_at, charger_kw)
    tariff = read_tariff(Path(tariff_at))
    zone = here.known.zone or tariff.zone
    now_s = wall_s if now is None else _moment(now, zone, "--now")
    if now is not None and here.paths is not None:
        here.look_up(now_s, missing)
    charge_pct = charge if charge is not None else here.value("charge", "--charge PCT")
    battery_kwh = battery if battery is not None else here.value("battery", "--battery KWH")
    departure_s = (
        here.value("departure", "--departure HH:MM")
        if departure is None
        else _departure(departure, now_s, zone)
    )
    target_pct = target if target is not None else table.target_pct
    car = Car(
        battery_kwh=battery_kwh,
        charge_pct=charge_pct,
        target_pct=target_pct,
        full_pct=max(target_pct, charge_pct) if full is None else full,
        charger_kw=charger_kw,
        efficiency=efficiency,
    )
    house_at = here.file(table.house) if house is None else str(house)
    if connection is not None and (not house_at or not 0.0 < connection <= 1_000.0):
        raise InputError(
            "--connection needs more than 0 kW, at most 1000, and the house's past.",
            "Give --connection 17 --house FILE, or leave it out.",
        )
    price = here.known.price
    asked = Asked(
        tariff=tariff_at,
        car=car,
        departure_s=departure_s,
        now_s=now_s,
        house=house_at,
        connection_kw=connection or table.connection_kw or None,
        price=None if price is None else price.value,
        price_s=here.known.price_s,
        zone=zone,
    )
    done = made(asked)
    used = () if here.paths is None else _used(typed, asked, here, done)
    if json_to is not None:
        write_json(_told(done, used), json_to)
    if str(json_to) != "-":
        for line in (*_used_lines(used), *_table(done, now_s), *done.notes):
            click.echo(line)
        click.echo(done.sentence)


class _Here:
    """The phone that was asked; nothing is known of one that was not."""

    def __init__(self, paths: NodePaths | None = None, config: Config | None = None) -> None:
        self.paths, self._config = paths, config
        self.table = ChargingTable() if config is None else config.charging
        self.known = CarKnown()

    def look_up(self, now_s: float, missing: Sequence[str]) -> None:
        """What it knows as of then; where its settings alone are missing, somebody need not live there."""
        if self.paths is None or self._config is None:
            return
        try:
            self.known = known_at(self.paths, self._config, now_s)
        except InputError:
            if not SET_THERE.issuperset(missing):
                raise

    def file(self, name: str) -> str:
        """A file that its node.toml names."""
        return "" if self.paths is None else at(self.paths, name)

    def value(self, name: str, option: str) -> float:
        """InputError where it does not know that."""
        return need(self.known, name, f"Give {option}.").value


def _asked_here(data: Path | None, now_s: float, missing: Sequence[str]) -> _Here:
    try:
        here = _Here(*phone(data))
    except (ConfigError, InputError) as why:
        if data is not None:
            raise
        raise InputError(
            f"Not given: {', '.join(missing)}; and no phone here could be asked. {why.message}",
            f"Give {' '.join(missing)}, or name the phone with --data DIR.",
        ) from None
    here.look_up(now_s, missing)
    return here


def _unset(tariff_at: str, charger_kw: float | None) -> InputError:
    lacks = []
    if not tariff_at:
        lacks.append(("The tariff", TARIFF, "charging.tariff"))
    if charger_kw is None:
        lacks.append(("What the charger gives", CHARGER, "charging.charger_kw"))
    what = " and ".join(
        one if n == 0 else one[0].lower() + one[1:] for n, (one, _, _) in enumerate(lacks)
    )
    verb = "is" if len(lacks) == 1 else "are"
    return InputError(
        f"{what} {verb} neither given nor set on the phone.",
        f"Give {' '.join(option for _, option, _ in lacks)}, or set "
        f"{' and '.join(setting for _, _, setting in lacks)} in node.toml.",
    )


def _used(typed: Mapping[str, object], asked: Asked, here: _Here, done: Made) -> tuple[Used, ...]:
    """All that was planned with, in the order in which one asks for it."""
    car, known, zone = asked.car, here.known, done.zone
    leaves = clock_in(zone, asked.departure_s, asked.now_s)
    rows = [
        ("charge", f"{car.charge_pct:g} %", "--charge PCT", known.charge),
        ("battery", f"{car.battery_kwh:g} kWh", "--battery KWH", known.battery),
        ("departure", leaves, "--departure HH:MM", known.departure),
    ]
    found = [
        Used(name=name, shown=shown, source="given")
        if typed[option] is not None or told is None
        else Used(name=name, shown=shown, source=told.source, age_s=told.age_s)
        for name, shown, option, told in rows
    ]
    for name, shown, option in (
        ("tariff", Path(asked.tariff).name, TARIFF),
        ("charger", f"{car.charger_kw:g} kW", CHARGER),
    ):
        source = "node.toml" if typed[option] is None else "given"
        found.append(Used(name=name, shown=shown, source=source))
    if known.price is not None:
        shown = f"{known.price.value:g} {done.currency}/kWh"
        found.append(
            Used(name="price now", shown=shown, source=known.price.source, age_s=known.price.age_s)
        )
    return tuple(found)


def _used_lines(used: Sequence[Used]) -> Iterator[str]:
    wide = max((len(one.shown) for one in used), default=0)
    for one in used:
        age = "" if one.age_s is None else f", {ago(one.age_s)} ago"
        yield f"  {one.name:<9}  {one.shown:<{wide}}  {one.source}{age}"


def _local(zone: str, time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, ZoneInfo(zone))


def _departure(text: str, now_s: float, zone: str) -> float:
    """HH:MM is the next such time."""
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal()):
        return _moment(text, zone, "--departure")
    today = _local(zone, now_s).replace(tzinfo=None, second=0, microsecond=0)
    try:
        wanted = today.replace(hour=int(hour), minute=int(minute))
    except (OverflowError, ValueError):
        raise InputError(f"{text[:40]!r} is no time of day.", "Write it as 07:10.") from None
    time_s = _there(wanted, zone)
    return time_s if time_s > now_s else _there(wanted + timedelta(days=1), zone)


def _moment(text: str, zone: str, option: str) -> float:
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
    return _there(moment, zone) if moment.tzinfo is None else moment.timestamp()


def _there(local: datetime, zone: str) -> float:
    """Unix time of a local time; the earlier of two, InputError where the clocks pass over it."""
    time_s = local.replace(tzinfo=ZoneInfo(zone)).timestamp()
    if _local(zone, time_s).replace(tzinfo=None) != local:
        raise InputError(
            f"{local:%H:%M} does not exist on {local:%Y-%m-%d}: the clocks go forward.",
            "Give a time an hour earlier or later.",
        )
    return time_s


def _told(done: Made, used: tuple[Used, ...]) -> Told:
    rows = []
    charged, plan = 0.0, done.plan
    for slot, kwh in zip(plan.slots, plan.kwh, strict=True):
        charged += kwh
        rows.append(
            Row(
                begin=_local(done.zone, slot.begin_s).isoformat(),
                end=_local(done.zone, slot.end_s).isoformat(),
                kwh=kwh,
                buy=slot.buy,
                sell=slot.sell,
                surplus_kw=slot.surplus_kw,
                charge_pct=plan.car.pct_after(charged),
            )
        )
    return Told(
        sentence=done.sentence,
        currency=done.currency,
        departure=_local(done.zone, plan.departure_s).isoformat(),
        reading=done.reading,
        slots=tuple(rows),
        used=used,
        notes=done.notes,
    )


def _table(done: Made, now_s: float) -> Iterator[str]:
    """A line for each run of slots in which it charges."""
    made = done.plan
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
        [clock_in(done.zone, s, now_s) for s in (made.slots[a[0]].begin_s, made.slots[a[-1]].end_s)]
        for a in runs
    ]
    wide = [max(5, *map(len, column)) for column in zip(*spans, strict=True)]
    price = f"grid {done.currency}/kWh"
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
