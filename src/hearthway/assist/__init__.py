"""Situation -> Suggestion | Silence: need, candidates, ranking, the interruption gate, explanation. Pure."""
