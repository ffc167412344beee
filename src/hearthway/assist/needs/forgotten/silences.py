"""Why nothing is said of things left at home."""

from __future__ import annotations

SILENCES = {
    "not-leaving": "You have not just left home.",
    "whereabouts-unknown": "Since you left nobody told where your things are.",
    "nothing-left": "Nothing of yours is known to have stayed at home.",
    "rarely-along": "What stayed at home does not go along on nearly all trips like this.",
    "too-few-leavings": "There are too few trips like this to know what goes along on them.",
    "too-late": "You left too long ago to turn back for it.",
    "said-already": "It has been said already what stayed at home.",
}
