"""Why nothing is said of charging."""

from __future__ import annotations

SILENCES = {
    "battery-enough": "The battery gets you home.",
    "home-too-far": "Home is farther than a full battery carries: you are on a journey, and charge on it anyway.",
    "battery-unknown": "What is left in the battery is not known, or was told too long ago.",
    "consumption-unknown": "The car made too few trips to know what it uses.",
    "home-unknown": "It is not known yet where your home is.",
    "unknown-destination": "It is not clear where you are heading.",
    "needs-a-map": "There is no map here, so no charger is known.",
    "off-map": "Where you are heading lies off the map.",
    "not-even-there": "The battery may not get you there: the car itself warns of that.",
    "said-already": "It has been said already that you should charge.",
    "charges-there": "The car is usually charged there anyway.",
    "no-charger-near": "The map knows no charger near there that may be open.",
}
