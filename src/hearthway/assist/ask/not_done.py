"""What is understood and not done here, in words: Home Assistant's intents and the students' orders, by what people call them."""

from __future__ import annotations

from .words import say

# name -> (what somebody wants, in English after "to", in German before "willst")
WANTED: dict[str, tuple[str, str]] = {
    "HassBroadcast": ("say something to every room", "etwas in alle Räume sagen"),
    "HassCancelAllTimers": ("stop timers", "Timer abbrechen"),
    "HassCancelTimer": ("stop a timer", "einen Timer abbrechen"),
    "HassClimateGetTemperature": ("know a temperature", "eine Temperatur wissen"),
    "HassClimateSetFanMode": ("set a fan", "eine Lüftung stellen"),
    "HassClimateSetTemperature": ("set a temperature", "eine Temperatur stellen"),
    "HassDecreaseTimer": ("shorten a timer", "einen Timer verkürzen"),
    "HassFanSetSpeed": ("set a fan", "einen Ventilator stellen"),
    "HassGetCurrentDate": ("know the date", "das Datum wissen"),
    "HassGetCurrentTime": ("know the time", "die Uhrzeit wissen"),
    "HassGetState": ("know the state of a thing", "den Zustand eines Geräts wissen"),
    "HassGetWeather": ("know the weather", "das Wetter wissen"),
    "HassIncreaseTimer": ("lengthen a timer", "einen Timer verlängern"),
    "HassLawnMowerDock": ("send a lawn mower home", "einen Rasenmäher zurückschicken"),
    "HassLawnMowerStartMowing": ("have the lawn mown", "den Rasen mähen lassen"),
    "HassLightSet": ("dim or colour a light", "ein Licht dimmen oder färben"),
    "HassListAddItem": ("put something on a list", "etwas auf eine Liste setzen"),
    "HassListCompleteItem": ("tick something off a list", "etwas auf einer Liste abhaken"),
    "HassListRemoveItem": ("take something off a list", "etwas von einer Liste streichen"),
    "HassMediaNext": ("play what is next", "das Nächste spielen"),
    "HassMediaPause": ("pause what is playing", "die Wiedergabe anhalten"),
    "HassMediaPlayerMute": ("turn the sound off", "den Ton ausschalten"),
    "HassMediaPlayerUnmute": ("turn the sound on", "den Ton einschalten"),
    "HassMediaPrevious": ("play what was before", "das Vorige spielen"),
    "HassMediaSearchAndPlay": ("have something played", "etwas abspielen"),
    "HassMediaUnpause": ("go on playing", "weiterspielen"),
    "HassNevermind": ("leave it", "es lassen"),
    "HassPauseTimer": ("pause a timer", "einen Timer anhalten"),
    "HassRespond": ("talk", "reden"),
    "HassSetPosition": ("move blinds or a valve", "Rollläden oder ein Ventil stellen"),
    "HassSetVolume": ("set the volume", "die Lautstärke stellen"),
    "HassSetVolumeRelative": ("change the volume", "die Lautstärke ändern"),
    "HassShoppingListAddItem": (
        "put something on the shopping list",
        "etwas auf die Einkaufsliste setzen",
    ),
    "HassShoppingListCompleteItem": (
        "tick something off the shopping list",
        "etwas auf der Einkaufsliste abhaken",
    ),
    "HassStartTimer": ("start a timer", "einen Timer starten"),
    "HassTimerStatus": ("know how long a timer runs", "wissen, wie lange ein Timer läuft"),
    "HassTurnOff": (
        "switch off or close something other than a light",
        "etwas anderes als ein Licht ausschalten oder schließen",
    ),
    "HassTurnOn": (
        "switch on or open something other than a light",
        "etwas anderes als ein Licht einschalten oder öffnen",
    ),
    "HassUnpauseTimer": ("go on with a timer", "einen Timer fortsetzen"),
    "HassVacuumCleanArea": ("have a room vacuumed", "einen Raum saugen lassen"),
    "HassVacuumReturnToBase": ("send a vacuum home", "einen Saugroboter zurückschicken"),
    "HassVacuumStart": ("have the floor vacuumed", "den Boden saugen lassen"),
    "alarm_remove": ("drop an alarm", "einen Wecker löschen"),
    "alarm_set": ("set an alarm", "einen Wecker stellen"),
    "calendar_remove": ("take something out of the calendar", "etwas aus dem Kalender streichen"),
    "calendar_set": (
        "put something into the calendar or be reminded",
        "etwas in den Kalender setzen oder erinnert werden",
    ),
    "email_sendemail": ("send an e-mail", "eine E-Mail senden"),
    "lists_remove": ("take something off a list", "etwas von einer Liste streichen"),
    "takeaway_order": ("order food", "Essen bestellen"),
    "transport_taxi": ("call a taxi", "ein Taxi rufen"),
    "transport_ticket": ("buy a ticket", "eine Fahrkarte kaufen"),
}


def not_done(language: str, name: str) -> str:
    """That it was understood, and is nothing that is done here. Nobody is told the name of an intent."""
    wanted = WANTED.get(name)
    if wanted is None:
        return say(
            language,
            "I understand that, and it is nothing that I do.",
            "Das verstehe ich, aber das tue ich nicht.",
        )
    return say(
        language,
        f"You want to {wanted[0]}, and that is nothing that I do.",
        f"Du willst {wanted[1]}, und das tue ich nicht.",
    )
