"""The seeded generator of a synthetic household: whatever it makes is synthetic and says so."""
