"""Why nothing is said of leaving."""

from __future__ import annotations

SILENCES = {
    "nothing-planned": "Your calendar has nothing in the next hours that begins at a time of day.",
    "under-way": "You are under way already.",
    "whereabouts-unknown": "It is not known where you are, or whether you are under way.",
    "place-unknown": "Your calendar does not tell where that is, or nobody here knows the place.",
    "there-already": "You are there already.",
    "farther-than-ever": "That is farther than you ever went: it is not known how you get there.",
    "never-driven": "You never went there by car, and too few of your trips from here tell how long it takes you.",
    "way-unknown": "It is not known how long you take: no map has the way, and too few own ones are as far.",
    "too-far": "There is time yet before you need to get ready.",
    "too-early": "There is time yet before you need to get ready.",
    "too-late": "It is too late to leave for it.",
    "said-already": "It has been said already that you should leave.",
}
