"""When to leave for what the calendar has next."""
