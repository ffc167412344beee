"""What a synthetic household is made from: every knob, with its range."""

from __future__ import annotations

import re
from datetime import date

from msgspec import Struct

from hearthway.records.errors import InputError

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")

SEED_MAX = 2**63 - 1


def clock_s(text: str, what: str) -> int:
    """Seconds after local midnight of "HH:MM"; InputError names `what`."""
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InputError(f"{what} is {text!r}, which is no time of day.", "Write it as HH:MM.")
    return int(found[1]) * 3600 + int(found[2]) * 60


def clock_text(second: float) -> str:
    """ "18:45" of seconds after midnight."""
    total = int(second) % 86_400
    return f"{total // 3600:02d}:{total % 3600 // 60:02d}"


class Settings(Struct, frozen=True, kw_only=True):
    """Equal settings on the same map give an equal household. Out of range raises InputError.

    `drive_at`, `ate_before` and `destination="new"` each change one fact of the final evening and
    nothing in the weeks before it; `driver` says whose phone rides along.
    """

    seed: int = 1
    weeks: int = 12
    end_day: str = "2025-11-14"  # local date of the final drive
    dinner_mean: str = "18:45"  # when dinner outside starts, on average
    dinner_sd_min: float = 25.0
    driver: str = "a"
    drive_at: str | None = None  # when the final drive starts; None: so that dinner is on time
    ate_before: bool = False  # the driver has dined before the final drive
    destination: str | None = None  # None: the usual one; "new": one never visited

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= SEED_MAX:
            raise InputError(
                f"The seed is {self.seed}.", f"Use a whole number from 0 to {SEED_MAX}."
            )
        if not 1 <= self.weeks <= 104:
            raise InputError(f"{self.weeks} weeks is out of range.", "Use 1 to 104 weeks.")
        if not 0.0 <= self.dinner_sd_min <= 90.0:
            raise InputError(
                f"A dinner spread of {self.dinner_sd_min} minutes is out of range.",
                "Use 0 to 90 minutes.",
            )
        if not 15 * 3600 <= self.dinner_mean_s <= 22 * 3600:
            raise InputError(
                f"Dinner at {self.dinner_mean} is out of range.",
                "Use a time from 15:00 to 22:00.",
            )
        if self.drive_at is not None:
            at_s = clock_s(self.drive_at, "The time of the drive")
            if not 5 * 3600 <= at_s <= 22 * 3600:
                raise InputError(
                    f"A drive at {self.drive_at} is out of range.",
                    "Use a time from 05:00 to 22:00.",
                )
        if self.driver not in ("a", "b"):
            raise InputError(f"The driver is {self.driver!r}.", "Choose a or b.")
        if self.destination not in (None, "new"):
            raise InputError(
                f"The destination is {self.destination!r}.", 'Choose "new" or leave it out.'
            )
        _ = self.end

    @property
    def end(self) -> date:
        """The local date of the final drive."""
        try:
            day = date.fromisoformat(self.end_day)
        except (TypeError, ValueError):
            raise InputError(
                f"The last day is {self.end_day!r}, which is no date.", "Write it as YYYY-MM-DD."
            ) from None
        if not 1990 <= day.year <= 2035:
            raise InputError(
                f"The last day is {self.end_day}, out of range.", "Use a year from 1990 to 2035."
            )
        return day

    @property
    def dinner_mean_s(self) -> int:
        """Mean start of dinner, seconds after local midnight."""
        return clock_s(self.dinner_mean, "The mean dinner time")
