"""Why nothing is said of parking."""

from __future__ import annotations

SILENCES = {
    "which-is-new-unknown": "There are too few days of your life here to know which places are new to you.",
    "unknown-destination": "It is not clear where you are heading.",
    "needs-a-map": "There is no map here, so no car park is known.",
    "off-map": "Where you are heading lies off the map.",
    "own-parking": "You are heading home or to work, and know where you park there.",
    "no-stay-there": "You were never seen to stay there, so it is not known that you go there.",
    "parked-there-often": "You have been there often enough to know where you park.",
    "said-already": "It has been said already for this drive.",
    "no-car-park-near": "The map knows no car park near there that may be open.",
}
