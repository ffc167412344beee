"""Where to eat before one arrives: open at arrival, by this person's habits, on foot from there or on the way."""
