"""What the need to charge assumes, each with its reason; none is fitted to a test."""

from __future__ import annotations

RESERVE_PCT = (
    5.0  # below it a car warns and holds back its power: nobody means to come home with less
)
# How far one trip is off what is expected where no interval has been learned (speed, weather, load): a fifth, one sigma.
USE_ERROR = 0.2
STOP_MIN = 30.0  # a stop for it later: ten minutes of detour and twenty at a fast charger
TAKEN_MIN = (
    5.0  # nobody tells whether a charger is free: what finding it taken costs, as often as that is
)
# Home's own shortage is said, the nearer one, unless tomorrow's is so much likelier that home's is no half of it.
TOMORROW_FIRST = 0.5
