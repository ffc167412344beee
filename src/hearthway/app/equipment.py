"""What a brain, and whoever asks as it does, is given by a phone of a configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from hearthway.assist.settings import Dial, GateSettings
from hearthway.assist.shape import NameOf
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.life import Person
from hearthway.records.poi import PoiIndex, Roads

from .brain import Brain
from .config import Config


def gate_settings(config: Config) -> GateSettings:
    """How readily a phone of this configuration speaks."""
    return GateSettings(dial=Dial(config.assist.dial), daily_budget=config.assist.daily_budget)


class Equipment(TypedDict):
    """What a brain, and whoever asks as it does, is given beside the person."""

    pois: PoiIndex | None
    roads: Roads | None
    name_of: NameOf | None
    settings: GateSettings
    synthetic: bool


def equipment(config: Config, atlas: Atlas | None) -> Equipment:
    """As a phone of this configuration has it."""
    return Equipment(
        pois=atlas,
        roads=atlas,
        name_of=None if atlas is None else atlas.place_name,
        settings=gate_settings(config),
        synthetic=config.replay.synthetic,
    )


def brain_for(
    store: Store,
    person: Person,
    config: Config,
    atlas: Atlas | None,
    rules: Rules | None = None,
    ends: Callable[[], bool] = lambda: False,
) -> Brain:
    """A brain as a phone of this configuration has it; it learns from what `rules` let (None: from everything).

    `ends`: as for Brain.
    """
    return Brain(store, person, **equipment(config, atlas), rules=rules, ends=ends)
