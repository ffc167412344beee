"""What only matters to who drives: the true reason where one does not, or where it is not clear."""

from __future__ import annotations

from .shape import Scene, Unfit

UNCLEAR = ("moving", "unknown")


def not_driving(scene: Scene) -> Unfit | None:
    """None on a drive; else that one does not drive, or that nobody can tell."""
    mode = scene.situation.mode
    if mode == "driving":
        return None
    return Unfit(code="mode-unclear" if mode in UNCLEAR else "not-driving")
