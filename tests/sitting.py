"""How people sit down at a table that they often go to."""

# Minutes sooner or later than usual, and how many times as long: by the clock it would be an appointment.
SCATTER = (
    (0, 1.0),
    (12, 0.8),
    (-12, 1.25),
    (6, 1.1),
    (-6, 0.9),
    (18, 0.75),
    (-14, 1.35),
    (3, 0.95),
)
