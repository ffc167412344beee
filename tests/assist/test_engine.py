"""Several needs and one mouth: the greatest first, one thing at a time, held back while driving is hard, dropped when stale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hearthway.assist import needs
from hearthway.assist.explain import why
from hearthway.assist.gate import driving_load
from hearthway.assist.memory import Memory
from hearthway.assist.shape import Aim, AnyNeed, Fact, Need, Offer, Saying, Scene, Unfit
from hearthway.learn.outcome import learn_said
from hearthway.records.life import Place
from hearthway.records.poi import Opening, OpenState, Poi, Route
from hearthway.records.suggestion import Silence, Suggestion

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/need.md"


def toy(
    name: str,
    *,
    worth_min: float = 0.0,
    p: float = 0.95,
    lead_s: float | None = None,
    order: int = 1,
    known: bool = True,
    asked: list[str] | None = None,
    **changes: Any,
) -> AnyNeed:
    """A need that always aims at the mall and says its own name; `asked` notes the questions."""
    log = [] if asked is None else asked

    def lead(scene: Scene, _: Aim) -> float:
        return scene.way(scene.situation.destinations[0].place)[0] if lead_s is None else lead_s

    def aim(scene: Scene) -> Aim | Unfit:
        log.append("aim")
        return Aim(topic=name, p_useful=p, at_most_min=worth_min)

    def propose(scene: Scene, aim: Aim) -> Offer | Unfit:
        log.append("propose")
        return Offer(
            topic=name, p_useful=p, lead_s=lead(scene, aim), at_best_min=worth_min, arrivals={}
        )

    def decide(scene: Scene, offer: Offer, waits: Mapping[str, Any]) -> Saying | Unfit:
        return Saying(headline=name, lines=(), worth_min=worth_min, worth_words="as such")

    facts: dict[str, Any] = {
        "name": name,
        "topics": (name,),
        "order": order,
        "early_min": 20.0,
        "early_words": "knowing it",
        "useful_words": "it is wanted",
        "silences": {"unknown-thing": f"Nothing is known about {name}."},
        "must_know": (Fact(name="a thing", code="unknown-thing", known=lambda scene: known),),
        "could_matter": lambda scene: None,
        "aim": aim,
        "lead_s": lead,
        "propose": propose,
        "decide": decide,
    }
    return Need(**{**facts, **changes})


def consider(world: Any, *among: AnyNeed, memory: Memory | None = None, **changes: Any) -> Any:
    assistant = world.assistant(among=among)
    return assistant.consider(world.drive(**changes), memory or Memory(person="anna"))


def test_the_greatest_is_said_whatever_the_order(world: Any) -> None:
    small, great = toy("small", worth_min=2.0, order=0), toy("great", worth_min=9.0)
    assert consider(world, small, great).headline == "great"
    assert consider(world, great, small).headline == "great"
    assert consider(world, small).headline == "small", "the control: alone it is said"


def test_what_waits_for_its_moment_leaves_this_one_to_others(world: Any) -> None:
    small = toy("small", worth_min=2.0)
    early = toy("great", worth_min=9.0, p=0.9, lead_s=800.0)
    assert consider(world, early).code == "too-early"
    assert consider(world, small, early).headline == "small"


def test_what_can_no_longer_be_acted_on_does_not_stand_in_the_way(world: Any) -> None:
    small, stale = toy("small", worth_min=2.0), toy("great", worth_min=9.0, lead_s=10.0)
    assert consider(world, small, stale).headline == "small"
    assert consider(world, stale).code == "too-late"


def test_one_thing_at_a_time(world: Any) -> None:
    """The second comes when the first was read, if it still stands; it is never said twice."""
    first, second = toy("first", worth_min=9.0), toy("second", worth_min=8.0)
    memory, told = Memory(person="anna"), []
    now_s = world.drive().time_s
    for look in range(60):
        result = consider(world, first, second, memory=memory, time_s=now_s + 5.0 * look)
        if isinstance(result, Suggestion):
            told.append((5.0 * look, result.headline))
            memory = learn_said(memory, result)
        elif 0 < look < 36:
            assert result.code == "said-already"
            assert consider(world, second, memory=memory, time_s=now_s).code == "one-at-a-time"
    assert told == [(0.0, "first"), (180.0, "second")]


def test_held_back_under_load_and_said_at_the_next_calm_moment(world: Any) -> None:
    need = toy("word", worth_min=9.0)
    hard = world.drive(speed_mps=36.0)
    assert driving_load(hard) > world.assistant().settings.max_load
    assert consider(world, need, speed_mps=36.0).code == "high-driving-load"
    assert consider(world, need, time_s=hard.time_s + 5.0).headline == "word"


def test_held_back_too_long_it_is_dropped(world: Any) -> None:
    stale = toy("word", worth_min=9.0, lead_s=30.0)
    assert consider(world, stale, speed_mps=36.0).code == "too-late"
    assert consider(world, stale).code == "too-late"


def test_what_is_not_known_is_said_in_the_needs_own_words(world: Any) -> None:
    result = consider(world, toy("word", known=False))
    assert isinstance(result, Silence)
    assert (result.code, result.words) == ("unknown-thing", "Nothing is known about word.")


def test_the_reason_shown_is_of_the_need_that_came_furthest(world: Any) -> None:
    blind = toy("blind", known=False, order=0)
    idle = toy("idle", order=0, could_matter=lambda scene: Unfit(code="unknown-thing"))
    far = toy("far", lead_s=5000.0)
    assert consider(world, blind, idle, far).code == "too-far"
    assert "blind" in consider(world, idle, blind).words
    other = toy("other", known=False, order=5)
    assert "blind" in consider(world, other, blind).words, "equally far: the lower order"


def test_the_map_is_not_asked_where_nothing_could_be_worth_it(world: Any) -> None:
    asked: list[str] = []
    assert consider(world, toy("word", p=0.1, asked=asked)).code == "not-worth-interrupting"
    assert asked == ["aim"]
    assert isinstance(consider(world, toy("word", asked=asked)), Suggestion)
    assert asked == ["aim", "aim", "propose"]


def test_a_need_may_ask_for_a_longer_pause_of_its_own(world: Any) -> None:
    long, usual = toy("word", repeat_s=6 * 3600.0), toy("word")
    said = consider(world, usual)
    memory = learn_said(Memory(person="anna"), said)
    later = {"time_s": said.time_s + 3 * 3600, "trip_start_s": said.time_s + 2 * 3600}
    assert isinstance(consider(world, usual, memory=memory, **later), Suggestion)
    assert consider(world, long, memory=memory, **later).code == "said-already"


def test_a_way_is_looked_up_once_for_all_needs(world: Any) -> None:
    class Counting(world.streets):  # type: ignore[misc]  # a class held by a fixture
        asked = 0

        def route(self, a: tuple[float, float], b: tuple[float, float]) -> Route | None:
            self.asked += 1
            found: Route | None = super().route(a, b)
            return found

    roads = Counting()
    assistant = world.assistant(among=(toy("one"), toy("two"), toy("three")), roads=roads)
    assert isinstance(
        assistant.propose(world.drive(), Memory(person="anna")).offers[2][1].lead_s, float
    )
    assert roads.asked == 1


def test_an_assistant_without_any_need_is_refused(world: Any) -> None:
    with pytest.raises(ValueError, match="at least one need"):
        world.assistant(among=())


class Mall:
    """One mall at the destination; closed, open or unknown."""

    def __init__(self, place: Place, state: OpenState) -> None:
        self.state = state
        self.mall = Poi(
            osm_id="way/7",
            kind="mall",
            name="Forum",
            lat=place.lat,
            lon=place.lon,
            opening_hours="Mo-Sa 09:00-18:00",
        )

    def near(self, lat: float, lon: float, radius_m: float, kinds: Any) -> list[Poi]:
        return [self.mall] if self.mall.kind in kinds else []

    along = get = None

    def opening(self, poi: Poi, at_s: float) -> Opening:
        return Opening(state=self.state)

    def covers(self, lat: float, lon: float) -> bool:
        return True


@pytest.fixture
def dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnyNeed:
    """The need of the how-to, as a folder beside the others."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    folder = tmp_path / "closed_shop"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "need.py").write_text(block[1])
    monkeypatch.setattr(needs, "__path__", [*needs.__path__, str(tmp_path)])
    monkeypatch.setattr(needs, "found", needs.found.__wrapped__)
    need = needs.of_topic("closed-shop")
    assert need is not None
    return need


def test_the_need_of_the_how_to_speaks_and_is_explained(world: Any, dropped: AnyNeed) -> None:
    def look(state: OpenState) -> Any:
        assistant = world.assistant(pois=Mall(world.mall, state), among=(dropped,))
        return assistant.consider(world.drive(routines=()), Memory(person="anna"))

    result = look(OpenState.CLOSED)
    assert isinstance(result, Suggestion), result
    assert result.headline == "Forum is closed when you arrive"
    assert result.lines[0] == "hours: Mo-Sa 09:00-18:00 (way/7, the map)"
    assert "not driving there in vain is worth 20 min" in "\n".join(why(result))
    assert "less likely that you were heading there (p " in "\n".join(why(result))
    assert look(OpenState.OPEN).code == look(OpenState.UNKNOWN).code == "not-known-closed"
