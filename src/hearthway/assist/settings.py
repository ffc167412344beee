"""What the gate and the ranking assume, in minutes of a person's time, each with its reason.

None of these is fitted to a test: they are costs stated so that a person can disagree with them.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Dial(StrEnum):
    """How easily Hearthway may speak: the person turns it."""

    QUIET = "quiet"
    NORMAL = "normal"
    EAGER = "eager"


# A wrong suggestion against the worth of a typical right one (about 10 minutes): 4:1, 2:1 and 1:1.
INTERRUPTION_MIN = {Dial.QUIET: 40.0, Dial.NORMAL: 20.0, Dial.EAGER: 10.0}
# Whatever the minutes say, a word must help with this probability, as low as its counts leave it: a worth in minutes alone asks for .48.
# A word that is often wrong is soon not read any more, and no single word's minutes tell that.
LEAST_P = {Dial.QUIET: 0.7, Dial.NORMAL: 0.6, Dial.EAGER: 0.45}


class GateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gate's settings. Minutes are minutes of the person's time, probabilities in [0, 1]."""

    dial: Dial = Dial.NORMAL
    daily_budget: int = 2  # suggestions per local day, at most
    threshold_min: float = 1.0  # speaking must be expected to win at least this
    least_p: float | None = None  # and be useful with this probability (None: as the dial asks)
    min_days: int = 5  # distinct days of evidence before a routine counts at all
    min_destination_p: float = 0.3  # below it nobody can say where the person is heading
    min_need_p: float = 0.15
    min_window_mass: float = 0.1  # share of a person's meals that begin around the arrival
    repeat_s: float = 2 * 3600.0  # one suggestion a meal
    not_now_s: float = 3 * 3600.0  # what "not now" asks for, and a dismissal as well
    min_lead_s: float = 40.0  # less cannot be acted on before arriving
    max_lead_s: float = 15 * 60.0  # more is not yet news
    max_load: float = 0.8  # driving load above which nothing is said
    walk_radius_m: float = 800.0  # about 13 minutes on foot with street detours
    corridor_m: float = 250.0
    max_options: int = 3

    @property
    def asked_p(self) -> float:
        """The probability of being useful below which nothing is said."""
        return LEAST_P[self.dial] if self.least_p is None else self.least_p


DECIDING_MIN = 25.0  # deciding only on arrival: a search, a walk in vain, an unknown wait
WALK_MPS = 1.3
STREET_FACTOR = 1.25  # ways on foot against the bee-line, in towns
DRIVE_FACTOR = 1.35  # roads against the bee-line
DRIVE_MPS = 9.0  # town driving with its lights, where no speed is known
AREA_M = 800.0  # destinations this close to one another share their options
# Between words about different things: three times the minute in which a line is read and acted on.
ONE_AT_A_TIME_S = 180.0
