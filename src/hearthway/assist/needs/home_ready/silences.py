"""Why nothing is said of a cold house."""

from __future__ import annotations

SILENCES = {
    "not-heading-home": "You are not known to be heading home.",
    "no-trip-yet": "You are still near where you left from.",
    "home-unknown": "It is not known yet where your home is.",
    "house-unknown": "How warm the house is was not told lately.",
    "presence-unknown": "It is not known whether somebody is at home.",
    "usual-unknown": "It is not known yet how warm the house usually is at this time with somebody in.",
    "warm-up-unknown": "It is not known yet how fast the house warms up.",
    "somebody-home": "Somebody is at home.",
    "heating-unknown": "It is not known whether the heating is on.",
    "heating-already": "The heating is on already.",
    "heating-set": "The heating is set to warm the house by itself.",
    "heating-by-itself": "On days like this the heating begins by itself.",
    "not-heated-lately": "The house has not been heated for two weeks.",
    "warm-enough": "The house is about as warm as it usually is with somebody in.",
    "too-far": "There is time yet before the heating need begin.",
    "too-early": "There is time yet before the heating need begin.",
    "too-late": "You are home before the heating could do anything.",
    "said-already": "It has been said already that the house is cold.",
}
