"""When a calendar's entry recurs (RFC 5545 3.3.10), within a bounded window and at a bounded cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, tzinfo
from itertools import islice
from typing import Any

from hearthway.records.errors import InputError

MAX_STEPS = 1_000_000  # dates in one file: 740,000 of one rule took 1.0 CPU second
MAX_NUMBER = 1_000_000  # of COUNT and INTERVAL
_DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 30, "YEARLY": 365}
_PARTS = {
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"),
    *("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"),
}


class UnreadableError(ValueError):
    """An entry or its rule is not understood: it is left out, and counted."""


class Steps:
    """How much work the rules of one file may make."""

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self, count: int) -> None:
        """InputError where a file asks for more than any calendar of a life does."""
        self.left -= count
        if self.left < 0:
            raise InputError(
                "This calendar's repetitions are too many to work out.",
                "Export a shorter time of it, or leave out what repeats every day since long ago.",
            )


def repeated(
    parts: Mapping[str, Sequence[Any]], start: datetime, zone: tzinfo, until: datetime, steps: Steps
) -> Iterator[datetime]:
    """Local starts (without zone) of a rule from `start` on, none after `until`; `start` is local as well.

    UnreadableError for a rule that is finer than a day or has a part nobody here knows.
    """
    from dateutil.rrule import rrulestr

    names = {name.upper(): list(values) for name, values in parts.items()}
    freq = str(names.get("FREQ", [""])[0]).upper()
    if freq not in _DAYS or not names.keys() <= _PARTS:
        raise UnreadableError(f"rule {freq or 'without FREQ'}")
    interval = _number(names.pop("INTERVAL", [1])[0])
    count = _number(names.pop("COUNT", [MAX_NUMBER])[0])
    end = min([until, *(_local(one, zone) for one in names.pop("UNTIL", []))])
    if end < start:
        return iter(())
    paid = (end - start).days // (_DAYS[freq] * interval) + 1
    steps.spend(paid)
    text = ";".join(f"{name}={','.join(map(_text, values))}" for name, values in names.items())
    try:
        # COUNT counts from the first on, so it may be taken from the dates; together with UNTIL it may not stand.
        rule = rrulestr(f"{text};INTERVAL={interval};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=start)
    except (ValueError, TypeError, AttributeError, OverflowError) as why:
        raise UnreadableError(str(why)) from None
    return _counted(islice(iter(rule), count), paid, steps)


def _counted(found: Iterator[datetime], paid: int, steps: Steps) -> Iterator[datetime]:
    """What a rule gives several times in each of its periods costs more than was paid for it."""
    for number, one in enumerate(found):
        if number >= paid:
            steps.spend(1)
        yield one


def _number(value: object) -> int:
    number = int(str(value))
    if not 1 <= number <= MAX_NUMBER:
        raise UnreadableError(f"number {number}")
    return number


def _text(value: object) -> str:
    to_ical = getattr(value, "to_ical", None)
    return to_ical().decode() if to_ical is not None else str(value)


def _local(value: object, zone: tzinfo) -> datetime:
    """UNTIL in local time; a day counts to its end."""
    if isinstance(value, datetime):
        return value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime.combine(value, time(23, 59, 59))
    raise UnreadableError("UNTIL")
