"""Reads a tariff: a TOML file, with told prices in a CSV beside it where there are any."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from hearthway.records import toml
from hearthway.records.errors import InputError
from hearthway.records.tariff import QUARTER_S, Tariff, Told, Window, minute_of

from .series import columns_of, moment_of, rows_of, text_of

FORM = "docs/how-to/charge shows a tariff file."
LONGEST_PRICE_S = 3_600.0  # for which the last told price holds, and none may hold longer
DEAREST = 1_000.0
CURRENCY_MAX = 12  # characters


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    zone: str
    currency: str
    buy: float | None = None
    sell: float = 0.0
    window: tuple[Window, ...] = ()
    prices: str = ""


def read_tariff(path: Path) -> Tariff:
    """The tariff in `path`; InputError says what is wrong in it."""
    written = _parsed(text_of(path), path)
    try:
        ZoneInfo(written.zone)
    except (KeyError, OSError, ValueError):
        raise InputError(
            f"{path}: there is no time zone {written.zone!r}.", "Write it as Europe/Helsinki."
        ) from None
    if not (0 < len(written.currency.strip()) <= CURRENCY_MAX and written.currency.isprintable()):
        raise InputError(f"{path}: {written.currency[:40]!r} is no currency.", "Write it as EUR.")
    for window in written.window:
        if minute_of(window.begin) == minute_of(window.to):
            raise InputError(f"{path}: a window from {window.begin} to {window.to} is empty.", FORM)
        if not window.days:
            raise InputError(
                f"{path}: the window from {window.begin} to {window.to} has no day.",
                'Name its days as in days = ["sat", "sun"], or leave `days` out for all.',
            )
    told = _told(path.parent / written.prices, written.sell) if written.prices else ()
    prices = [written.sell, *([] if written.buy is None else [written.buy])]
    prices += [price for window in written.window for price in (window.buy, window.sell or 0.0)]
    prices += [price for one in told for price in (one.buy, one.sell)]
    if not all(isfinite(price) and abs(price) <= DEAREST for price in prices):
        raise InputError(f"{path}: a price is beyond {DEAREST:g} a kWh.", "Mend it.")
    if written.buy is None and not written.window and not told:
        raise InputError(f"{path} names no price.", FORM)
    return Tariff(
        zone=written.zone,
        currency=written.currency,
        buy=written.buy,
        sell=written.sell,
        windows=written.window,
        told=told,
        told_until_s=told[-1].begin_s + _last_s(told) if told else 0.0,
    )


def prices_beside(path: Path) -> Path | None:
    """The table of told prices that the tariff names; None where it names none, or cannot be read now."""
    try:
        written = _parsed(text_of(path), path)
    except (InputError, OSError):
        return None
    return path.parent / written.prices if written.prices else None


def _parsed(text: str, path: Path) -> _Written:
    try:
        return msgspec.convert(toml.parse(text), _Written)
    except tomllib.TOMLDecodeError as why:
        raise InputError(f"{path} is not TOML: {why}.", "Mend that line.") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply.", FORM) from None
    except msgspec.ValidationError as why:
        raise InputError(f"{path}: {why}.", FORM) from None


def _told(path: Path, sell: float) -> tuple[Told, ...]:
    rows = rows_of(path)
    at = columns_of(path, next(rows, []), ("time", "buy"))
    found = []
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        begin_s = moment_of(path, number, row, at["time"])
        try:
            buy = float(row[at["buy"]])
            earns = float(row[at["sell"]]) if "sell" in at else sell
        except (IndexError, ValueError):
            raise InputError(f"{path}, line {number}: a price is no number.", "Mend it.") from None
        found.append(Told(begin_s, buy, earns))
    _check(path, found)
    return tuple(found)


def _check(path: Path, told: list[Told]) -> None:
    if not told:
        raise InputError(f"{path} holds no price.", FORM)
    for one in told:
        if one.begin_s % QUARTER_S:
            raise InputError(f"{path}: a price does not begin at a full quarter.", "Mend it.")
    for earlier, later in pairwise(told):
        if not 0.0 < later.begin_s - earlier.begin_s <= LONGEST_PRICE_S:
            raise InputError(
                f"{path}: the prices do not follow each other within an hour.",
                "Give one for each hour or quarter, the earliest first.",
            )


def _last_s(told: tuple[Told, ...]) -> float:
    """The last price holds as long as the one before it."""
    return told[-1].begin_s - told[-2].begin_s if len(told) > 1 else LONGEST_PRICE_S
