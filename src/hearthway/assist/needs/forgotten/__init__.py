"""Left home without what went along on nearly all trips like this one, and is known to be at home still."""
