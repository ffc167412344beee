"""Situation -> Suggestion | Silence: needs, the interruption gate, explanation. Pure."""
