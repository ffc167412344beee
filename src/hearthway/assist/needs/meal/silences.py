"""Why nothing is said of a meal."""

SILENCES = {
    "no-routine-yet": "Too little of your life here tells when you eat out.",
    "unknown-destination": "It is not clear where you are heading.",
    "needs-a-map": "There is no map here, so no place to eat is known.",
    "off-map": "Where you are heading lies off the map.",
    "not-mealtime": "You rarely eat out when you will arrive.",
    "ate-recently": "You have eaten not long ago.",
    "heading-home": "You are heading home, and such a drive of yours rarely ends at a table.",
    "not-an-eating-drive": "Your visits there at this time are rarely for a meal.",
    "next-door-to-a-table": "Your stays there may have been at something next door to a table.",
    "said-already": "It has been said already for this meal.",
    "no-places-near": "The map knows no place to eat near there.",
    "nothing-open": "Nothing there is open when you arrive.",
}
