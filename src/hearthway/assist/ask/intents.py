"""What can be asked, in one table: in words, by which data, and what has to be said along."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from hearthway.sense.catalogue import (
    CAR_POSITION,
    CHARGING,
    HEATING,
    LIGHT,
    NEXT_HEATING,
    PHONE_POSITION,
    PRESENCE,
    ROOM,
    SETPOINT,
    SOC,
)

WHERE = f"{PHONE_POSITION}.Latitude"
CAR_WHERE = f"{CAR_POSITION}.Latitude"
CALENDAR = "Person.Calendar"
RECEIPTS = "Receipt.Fields"
SUGGESTION = "Suggestion.Show"
HERE = ("me", "here", "us", "mir", "hier", "uns")
COMMAND_LIGHT = "Command.Home.Light"
COMMAND_HEATING = "Command.Home.Heating"


class Intent(Struct, frozen=True):
    """One thing that can be asked or ordered; `en` and `de` are what it is called, as in "I can say ..."."""

    name: str
    en: str
    de: str
    keys: tuple[str, ...] = ()  # what an answer uses about nobody
    personal: tuple[str, ...] = ()  # what it uses about the phone's owner
    wishes: tuple[str, ...] = ()  # about the owner too: answered with less where no rule lets it
    needs: tuple[str, ...] = ()  # slots without which it cannot be answered
    takes: tuple[str, ...] = ()  # further slots that its answer goes by
    command: str = ""  # what it orders, as the rules call it
    confirms: bool = False  # it has consequences: done only once it was confirmed

    def words(self, language: str) -> str:
        """What it is called in that language."""
        return self.de if language == "de" else self.en


TABLE: dict[str, Intent] = {
    one.name: one
    for one in (
        Intent(
            "get_home",
            "whether you get home",
            "ob du nach Hause kommst",
            keys=(SOC,),
            personal=(WHERE,),
        ),
        Intent("range", "how far the battery reaches", "wie weit der Akku reicht", keys=(SOC,)),
        Intent("battery", "how full the battery is", "wie voll der Akku ist", keys=(SOC,)),
        Intent(
            "charged_when",
            "when the car will be full",
            "wann das Auto voll ist",
            keys=(SOC, CHARGING),
            wishes=(WHERE,),
            takes=("until",),
        ),
        Intent("parked", "where you parked", "wo dein Auto steht", personal=(CAR_WHERE, WHERE)),
        Intent(
            "house_warm",
            "how warm the house is",
            "wie warm das Haus ist",
            keys=(ROOM, SETPOINT, HEATING, NEXT_HEATING),
        ),
        Intent(
            "anybody_home",
            "whether somebody is at home",
            "ob jemand zu Hause ist",
            keys=(PRESENCE,),
        ),
        Intent(
            "light_state",
            "whether a light is on",
            "ob ein Licht an ist",
            keys=(LIGHT,),
            needs=("light",),
        ),
        Intent(
            "location_use",
            "who used your location",
            "wer deinen Standort benutzt hat",
            personal=(RECEIPTS,),
            takes=("period",),
        ),
        Intent(
            "find_food",
            "where to eat",
            "wo man essen kann",
            wishes=(WHERE,),
            takes=("near", "without", "cuisine"),
        ),
        Intent(
            "leave_when",
            "when you have to leave",
            "wann du losmusst",
            personal=(CALENDAR, WHERE),
            takes=("entry",),
        ),
        Intent(
            "calendar_next",
            "what is next in your calendar",
            "was als Nächstes im Kalender steht",
            personal=(CALENDAR,),
            takes=("day",),
        ),
        Intent(
            "day_off",
            "whether a day is a holiday",
            "ob ein Tag frei ist",
            personal=(CALENDAR,),
            takes=("day",),
        ),
        Intent(
            "wait_at",
            "how long the wait is somewhere",
            "wie lange man irgendwo wartet",
            needs=("venue",),
        ),
        Intent(
            "heading",
            "where you are heading",
            "wohin du unterwegs bist",
            personal=(WHERE,),
        ),
        Intent(
            "why", "why I said something", "warum ich etwas gesagt habe", personal=(SUGGESTION,)
        ),
        Intent("help", "what I can do", "was ich kann"),
        Intent(
            "light_on",
            "turn a light on",
            "ein Licht einschalten",
            needs=("light",),
            command=COMMAND_LIGHT,
        ),
        Intent(
            "light_off",
            "turn a light off",
            "ein Licht ausschalten",
            needs=("light",),
            command=COMMAND_LIGHT,
        ),
        Intent(
            "heating_set",
            "set the heating",
            "die Heizung stellen",
            needs=("degrees",),
            command=COMMAND_HEATING,
            confirms=True,
        ),
    )
}
EXACT = (
    "sentences",
    "your answer",
)  # readers that miss no word: others take "do not" for "do" now and then
CAR_ACT = "car_act"  # something to be done to a car: understood, and never done
LATER = "later"  # an order for another time than now: understood, and never done
ELSEWHERE = "elsewhere"  # understood by Home Assistant's sentences, and nothing of ours
PAST = "past"  # how something was that is answered only as it is now
SEVERAL = "several"  # more than one thing at once
UNUSED = "unused"  # a slot: words of the question that its answer goes not by


def uses(intent: Intent, slots: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What answering takes: keys about nobody, and keys about the phone's owner."""
    if intent.name == "find_food" and slots.get("near", "me").casefold() in HERE:
        return (), (WHERE,)  # near whom it is asked of
    return intent.keys, intent.personal
