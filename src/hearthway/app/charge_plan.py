"""A charging plan from a tariff file, the house's past and the car: `made`, and `made_apart` in a process that ends again.

HiGHS and numpy stay with whoever loads them, and a house's past may be large: a phone at rest holds neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import traceback
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import msgspec
from msgspec import Struct

from hearthway.assist.charging.explain import KWH, Reading, reading, sentence
from hearthway.assist.charging.fixed import at_once
from hearthway.assist.charging.plan import plan_charging
from hearthway.assist.charging.slots import Price, Surpluses, slots_until
from hearthway.records.charging import HOUR_S, Car, Plan
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import ConfigError, HearthwayError, InputError
from hearthway.records.localtime import offset_in_s
from hearthway.records.tariff import Tariff

from .series import read_house
from .tariffs import read_tariff

log = logging.getLogger("hearthway.charging")
_COMMAND = (sys.executable, "-P", "-m", "hearthway.app.charge_plan")
PATIENCE_S = 60.0  # it takes 0.2 s of CPU
OTHER_UNIT = 5.0  # a told price so many times the tariff's is one of cents, or of megawatt hours
FREE = 0.02  # a kWh; beside it no ratio says anything


class Asked(Struct, frozen=True, kw_only=True):
    """What is planned. `price` is what the house was told a kWh costs in the clock hour of `price_s`."""

    tariff: str
    car: Car
    departure_s: float
    now_s: float
    house: str = ""
    connection_kw: float | None = None
    price: float | None = None
    price_s: float = 0.0
    zone: str = ""  # of the times in the sentence; empty: the tariff's


class Made(Struct, frozen=True, kw_only=True):
    """The plan, beside charging at once. `zone` is that of the sentence's times; `notes` are sentences about what it rests on."""

    sentence: str
    reading: Reading
    plan: Plan
    currency: str
    zone: str
    notes: tuple[str, ...] = ()

    @property
    def begin_s(self) -> float | None:
        """When it begins to charge; None where it charges nothing worth a word."""
        if self.plan.total_kwh <= KWH:
            return None
        pairs = zip(self.plan.slots, self.plan.kwh, strict=True)
        return next((slot.begin_s for slot, kwh in pairs if kwh > 0.0), None)

    def buy_at(self, time_s: float) -> float:
        """What a kWh costs then, as planned with; before and after, as in the nearest slot."""
        slots = self.plan.slots
        return next((slot.buy for slot in slots if time_s < slot.end_s), slots[-1].buy)

    def pct_at(self, time_s: float) -> float:
        """State of charge then, if all went as planned."""
        kwh = 0.0
        for slot, part in zip(self.plan.slots, self.plan.kwh, strict=True):
            gone = (time_s - slot.begin_s) / (slot.end_s - slot.begin_s)
            kwh += part * min(1.0, max(0.0, gone))
        return self.plan.car.pct_after(kwh)


class _Failed(Struct, frozen=True, kw_only=True):
    """Why there is none."""

    error: str
    next: str
    kind: str = "input"


class _Answer(Struct, frozen=True, kw_only=True):
    made: Made | None = None
    failed: _Failed | None = None


def made(asked: Asked) -> Made:
    """InputError where tariff, house or car say too little; ConfigError where HiGHS is not installed."""
    tariff = read_tariff(Path(asked.tariff))
    zone, notes = asked.zone or tariff.zone, []
    if offset_in_s(zone, asked.departure_s) != tariff.offset_s(asked.departure_s):
        notes.append(f"The tariff goes by {tariff.zone}; times here are of {zone}.")
    price, doubt = _with_told(tariff, asked)
    notes += [doubt] if doubt else []
    ahead = _surpluses(asked, tariff)
    slots = slots_until(asked.departure_s, asked.now_s, price, ahead)
    plan = plan_charging(asked.car, slots, asked.connection_kw)
    once = at_once(asked.car, slots, asked.connection_kw)
    words = sentence(plan, once, lambda s: clock_in(zone, s, asked.now_s), tariff.currency)
    return Made(
        sentence=words,
        reading=reading(plan, once),
        plan=plan,
        currency=tariff.currency,
        zone=zone,
        notes=tuple(notes),
    )


def clock_in(zone: str, time_s: float, now_s: float) -> str:
    """07:10, with the day where it is not within a day of now."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    local = datetime.fromtimestamp(time_s, ZoneInfo(zone))
    return f"{local:%H:%M}" if time_s - now_s < 86_400 else f"{local:%a %d %b %H:%M}"


def _with_told(tariff: Tariff, asked: Asked) -> tuple[Price, str]:
    """The tariff, with the told price in its own clock hour; and a word where it cannot be meant so."""
    told = asked.price
    if told is None:
        return tariff.price, ""
    begin_s = asked.price_s // HOUR_S * HOUR_S
    with contextlib.suppress(InputError):
        listed = tariff.price(max(begin_s, asked.now_s))[0]
        low, high = sorted((abs(listed), abs(told)))
        if low > FREE and high > OTHER_UNIT * low:
            return tariff.price, (
                f"The house tells a price of {told:g}, the tariff has {listed:g}: "
                "that seems to be another unit, and is left out."
            )

    def price(time_s: float) -> tuple[float, float]:
        if not begin_s <= time_s < begin_s + HOUR_S:
            return tariff.price(time_s)
        try:
            return told, tariff.price(time_s)[1]
        except InputError:
            return told, tariff.sell

    return price, ""


def _surpluses(asked: Asked, tariff: Tariff) -> Surpluses:
    if not asked.house:
        return lambda _: (0.0,)
    ahead = read_house(Path(asked.house), asked.now_s, tariff.offset_s)

    def known(time_s: float) -> tuple[float, ...]:
        found = ahead.surpluses(time_s)
        if not found:
            raise InputError(
                f"{asked.house} tells too little for a forecast of {tariff.local(time_s):%Y-%m-%d %H:%M}.",
                "It needs that time of day on at least 3 of the 28 days before now.",
            )
        return found

    return known


# in a process of its own ----------------------------------------------------------------------------------------


async def made_apart(asked: Asked) -> Made:
    """As `made`, in a process that ends with it. HearthwayError too where none can be had, or it took too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
    except OSError as why:
        raise HearthwayError(
            f"No plan can be made: {why.strerror}.", "Is there memory left?"
        ) from None
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate(pack(asked))
    except TimeoutError:
        raise HearthwayError(
            f"No plan was made within {PATIENCE_S:.0f} s.", "Give a house's past of fewer rows."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        answer = unpack(said, _Answer)
    except HearthwayError:
        raise HearthwayError("The process that plans was ended.", "Is there memory left?") from None
    if answer.made is not None:
        return answer.made
    failed = answer.failed
    if failed is None or failed.kind == "fault":
        log.error("no plan", extra={"fields": {"trace": failed.error if failed else ""}})
        raise HearthwayError("The plan could not be made.", "The node.log has the lines.")
    kinds = {"input": InputError, "config": ConfigError}
    raise kinds.get(failed.kind, HearthwayError)(failed.error, failed.next)


def main() -> None:
    """Reads what is asked from standard input until its end, and answers on standard output."""
    os.nice(5)
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    try:
        answer = _Answer(made=made(unpack(sys.stdin.buffer.read(), Asked)))
    except HearthwayError as why:
        kind = "config" if isinstance(why, ConfigError) else "input"
        answer = _Answer(failed=_Failed(error=why.message, next=why.next_step, kind=kind))
    except Exception:  # noqa: BLE001 - its lines go into the log of the node
        answer = _Answer(failed=_Failed(error=traceback.format_exc(), next="", kind="fault"))
    with os.fdopen(out, "wb") as stream:
        stream.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    main()
