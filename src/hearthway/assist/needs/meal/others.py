"""What others' answers tell of a meal's moment, where a ranker is there: which of the kinds of tables at hand they rather take."""

from __future__ import annotations

from collections.abc import Collection

from hearthway.assist.ranker import moments
from hearthway.assist.shape import Scene
from hearthway.assist.taste import living
from hearthway.records.life import Place


def preferred(scene: Scene, place: Place, kinds: Collection[str]) -> dict[str, float]:
    """By kind, how much rather people take it here than the mean of these kinds (log-odds); empty without a ranker."""
    if scene.ranker is None:
        return {}
    out = scene.memory.meals_out(scene.situation.time_s, living(scene.situation))
    return scene.ranker.preferred(moments(scene.situation, out, kinds, label=place.label))
