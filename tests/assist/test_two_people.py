"""Two people, the same drive: the histories make the ranking, and swapping them swaps it."""

from __future__ import annotations

from typing import Any

from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.records.suggestion import Suggestion

ANNA, BERT = {"node/1": 18, "node/2": 2}, {"node/3": 18, "node/2": 2}


def ranked(world: Any, person: str, meals: dict[str, int]) -> Suggestion:
    result = world.assistant(person).consider(
        world.drive(person=person), world.dining(meals, person=person)
    )
    assert isinstance(result, Suggestion), result
    return result


def order(suggestion: Suggestion) -> list[str]:
    return [o.poi.osm_id for o in suggestion.options]


def test_different_lives_rank_differently_and_are_explained(world: Any) -> None:
    anna, bert = ranked(world, "anna", ANNA), ranked(world, "bert", BERT)
    assert order(anna)[0] == "node/1"
    assert order(bert)[0] == "node/3"
    assert "you have eaten here 18 times" in "\n".join(why(anna))
    assert any("thai is" in line for line in why(bert))


def test_swapping_the_histories_swaps_the_rankings(world: Any) -> None:
    assert order(ranked(world, "anna", BERT)) == order(ranked(world, "bert", BERT))
    assert order(ranked(world, "bert", ANNA)) == order(ranked(world, "anna", ANNA))


def test_nobody_elses_memory_is_needed(world: Any) -> None:
    """Without any meal of one's own the routine alone does not carry a word."""
    stranger = world.assistant().consider(world.drive(), Memory(person="anna"))
    assert not isinstance(stranger, Suggestion)
