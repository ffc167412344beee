"""Config, wiring, clock, supervisor: the only place that builds the object graph."""
