"""What others call our intents: CLINC150's labels that mean the same, and Home Assistant's intents.

A label that is not in the table means nothing here. Both data sets' labels are names only; no text of theirs is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hearthway.records.ask import Meaning

from .intents import CAR_ACT, ELSEWHERE, TABLE

CLINC: dict[str, str] = {
    "calendar": "calendar_next",
    "meeting_schedule": "calendar_next",
    "restaurant_suggestion": "find_food",
    "gas": "battery",  # how much is left to drive with
    "what_can_i_ask_you": "help",
}
# A label with these words is asked of the world and not of the household: of what something costs nobody here knows.
_PRICE = re.compile(
    r"\b(?:costs?|prices?|pric(?:y|ing)|expensive|cheap(?:er|est)?|dollars|euros|pay(?:ing)?|spend)\b"
    r"|\bhow much (?:is|are) (?:an? |the )?(?:\w+ )?(?:gas|gasoline|petrol|diesel|fuel|gallon|litre|liter)\b"
)
OF_THE_WORLD = {"gas": _PRICE}
# HWU64's and SLURP's labels of a house (scenario_action), and what Home Assistant calls the same.
SLURP: dict[str, str] = {
    "iot_hue_lighton": "HassTurnOn",
    "iot_hue_lightoff": "HassTurnOff",
    "iot_hue_lightdim": "HassLightSet",
    "iot_hue_lightup": "HassLightSet",
    "iot_hue_lightchange": "HassLightSet",
    "iot_wemo_on": "HassTurnOn",
    "iot_wemo_off": "HassTurnOff",
    "iot_cleaning": "HassVacuumStart",
    "audio_volume_up": "HassSetVolumeRelative",
    "audio_volume_down": "HassSetVolumeRelative",
    "audio_volume_mute": "HassMediaPlayerMute",
    "weather_query": "HassGetWeather",
    "datetime_query": "HassGetCurrentTime",
    "lists_createoradd": "HassListAddItem",
}
# Orders of theirs that nothing here carries out: whoever is sure to have read one has read it. Of a reminder for a meeting
# the next reader, which knows fewer orders, makes the calendar.
NOT_DONE = frozenset(
    {
        "alarm_remove",
        "alarm_set",
        "calendar_remove",
        "calendar_set",
        "email_sendemail",
        "lists_remove",
        "takeaway_order",
        "transport_taxi",
        "transport_ticket",
    }
)
_OF_LIGHTS = {"iot_hue_lighton": "light_on", "iot_hue_lightoff": "light_off"}
# What a student's tags are called here.
TAGS = {"area": "light", "house_place": "light", "device_type": "light", "place_name": "near"}
_LIGHTS = ("light",)
_STATE_WORDS = ("on", "off")


def intent_of(label: str) -> str | None:
    """Our intent of a student's label: its own name, or the one that means the same; None for any other."""
    if label in TABLE or label == CAR_ACT:
        return label
    elsewhere = label in SLURP or label in NOT_DONE
    return CLINC.get(label) or _OF_LIGHTS.get(label) or (ELSEWHERE if elsewhere else None)


def meaning_of(
    label: str,
    tagged: Mapping[str, str],
    named: Mapping[str, str],
    *,
    student: str,
    score: float,
    text: str = "",
) -> Meaning | None:
    """A student's reading of `text`: its tags as our slots, the household's own names before them; None for a label of nothing."""
    intent = intent_of(label)
    if intent is None or (label in OF_THE_WORLD and OF_THE_WORLD[label].search(text.casefold())):
        return None
    slots = {ours: tagged[tag] for tag, ours in TAGS.items() if tagged.get(tag)}
    of = SLURP.get(label, label) if intent == ELSEWHERE else student
    return Meaning(intent=intent, slots=slots | dict(named), by="student", of=of, score=score)


def from_home_assistant(intent: str, slots: Mapping[str, str], lights: frozenset[str]) -> Meaning:
    """What Home Assistant's sentences found, as one of ours; `elsewhere` where nothing here does that.

    `lights`: the household's own, as said.
    """
    name, area = slots.get("name", ""), slots.get("area", "")
    is_light = slots.get("domain") in _LIGHTS or name.casefold() in lights
    found: tuple[str, dict[str, str]] | None = None
    if intent in ("HassTurnOn", "HassTurnOff") and is_light:
        light = name or area or ("all" if "floor" not in slots else "")
        found = ("light_on" if intent == "HassTurnOn" else "light_off", {"light": light})
    elif intent == "HassClimateGetTemperature":
        found = ("house_warm", {})
    elif intent == "HassClimateSetTemperature" and slots.get("temperature"):
        found = ("heating_set", {"degrees": slots["temperature"]})
    elif intent == "HassGetState" and is_light and slots.get("state", "on") in _STATE_WORDS:
        found = ("light_state", {"light": name or area or "all"})
    if found is None:
        return Meaning(intent=ELSEWHERE, by="sentences", of=intent)
    ours, filled = found
    return Meaning(
        intent=ours,
        slots={slot: value for slot, value in filled.items() if value},
        by="sentences",
        of=intent,
    )
