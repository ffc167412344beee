"""A running task that moves between nodes: where one is driving to, what was being talked about, what waits for an answer."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from .ask import Expected
from .messages import Surface

TASK_OFFER = "Task.Offer"
TASK_STATE = "Task.State"
HOLDERS_MAX = 16


class NavigationTarget(Struct, frozen=True, kw_only=True, tag="navigation"):
    """Where the person is on the way to."""

    name: str
    lat: float
    lon: float
    osm_id: str = ""


class Turn(Struct, frozen=True, kw_only=True):
    """One thing said: by the person, or by Hearthway."""

    by_person: bool
    text: str
    time_s: float


class Conversation(Struct, frozen=True, kw_only=True, tag="conversation"):
    """What was said so far, oldest first; and what the next thing said may answer, where a question was put back."""

    turns: tuple[Turn, ...]
    expected: Expected | UnsetType = UNSET


class WaitingSuggestion(Struct, frozen=True, kw_only=True, tag="suggestion"):
    """A suggestion that nobody has answered yet."""

    surface: Surface


Content = NavigationTarget | Conversation | WaitingSuggestion


class Task(Struct, frozen=True, kw_only=True):
    """Held by one node at a time; the highest (`version`, `holder`) is what counts, whoever says so.

    `holders` are the nodes that have held it, so that each hears where it went.
    """

    task_id: str
    person: str
    time_s: float
    content: Content
    holder: str
    version: int = 0
    done: bool = False
    holders: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """navigation, conversation or suggestion."""
        return str(self.content.__struct_config__.tag)

    @property
    def title(self) -> str:
        """One line for people."""
        if isinstance(self.content, NavigationTarget):
            return f"on the way to {self.content.name}"
        if isinstance(self.content, Conversation):
            turns = self.content.turns
            return f"talk: {turns[-1].text}" if turns else "talk"
        lines = self.content.surface.lines
        return lines[0] if lines else "a suggestion"
