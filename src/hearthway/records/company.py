"""Who is in the car beside its driver, and what such a passenger lets the driver's phone know of the own taste."""

from __future__ import annotations

from msgspec import Struct

ASK_TASTE, TASTE = "Taste.Ask", "Taste.Told"


class TasteAsked(Struct, frozen=True, kw_only=True):
    """ "What do you like to eat?", from the phone of whoever drives. Who asks stands in the envelope."""


class TasteTold(Struct, frozen=True, kw_only=True):
    """A person's taste in shares of meals out: no visit, no time and no place but those turned down for good."""

    called: str = ""  # what this person is called
    meals: float = 0.0  # how many meals out the shares rest on, old ones faded
    kinds: tuple[tuple[str, float], ...] = ()  # "restaurant" -> share of these meals, 0 to 1
    cuisines: tuple[tuple[str, float], ...] = ()  # "sushi" -> the same
    never: tuple[str, ...] = ()  # OSM ids of POIs answered "never here"


class Companion(Struct, frozen=True, kw_only=True):
    """Somebody in the car beside the driver whose taste is known."""

    person: str
    taste: TasteTold

    @property
    def called(self) -> str:
        """The name that was told with the taste; else the id as it stands in the household's list."""
        return self.taste.called or self.person[:8]
