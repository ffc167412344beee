"""A node that listens and speaks: real frames to real servers of the Wyoming package, and what such a server may do wrong."""

from __future__ import annotations

import asyncio
import errno
import re
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.app.ask.wyoming_services import CHUNK, FORM, MARK, Services, services, spoken, tone
from tests.ports import free_port
from wyoming.event import Event

from hearthway.app.ask import satellite as it
from hearthway.app.ask.part import Asking
from hearthway.app.ask.satellite import SatelliteService
from hearthway.app.ask.speech import LONGEST_S, NOTHING_S, QUIET_S, SpeechEnd, level_of
from hearthway.app.config import (
    AskTable,
    Config,
    MapTable,
    NodeTable,
    SatelliteTable,
    parse_config,
    save_config,
)
from hearthway.app.launch import NodeProcess
from hearthway.app.paths import NodePaths, private_dir
from hearthway.records.errors import ConfigError
from hearthway.records.household import Role

pytestmark = pytest.mark.anyio
ROOM = "Home.Climate.Temperature"
QUESTION = [tone(0.3), tone(0.5), bytes(64_000)]  # the wake word, what is said, silence


@asynccontextmanager
async def listening(
    own: Any, made: Services, person: str = "anna", **table: str
) -> AsyncIterator[Any]:
    """A satellite at the phone, and the notes that it wrote."""
    node = own.nodes["phone"]
    at = SatelliteTable(**(made.at | {"word": "ok_nabu"} | table))
    node.config = replace(node.config, ask=AskTable(voice_person=person), satellite=at)
    notes: list[str] = []
    node.note = notes.append
    service = SatelliteService(node)
    await service.start()
    try:
        yield notes
    finally:
        await service.stop()


async def falls_silent(made: Services) -> bool:
    """Does nothing more come to the wake word's service, once what was on its way is there?"""
    for _ in range(4):
        before = made.bytes_to("wake")
        await asyncio.sleep(0.3)
        if made.bytes_to("wake") == before:
            return True
    return False


async def test_from_the_wake_word_to_the_spoken_answer(house: Any) -> None:
    async with house() as own, services() as made:
        await own.tell({ROOM: 19.2})
        made.plays = [QUESTION]
        made.texts = ["how warm is it at home"]
        async with listening(own, made) as notes:
            await own.nodes.until(lambda: made.played > 0)
        assert made.said == ["19.2 °C at home."]
        assert made.played == len(tone(0.05))
        kinds = [(service, kind) for service, kind, _ in made.heard]
        assert kinds[:2] == [("wake", "detect"), ("wake", "audio-start")]
        asr = [kind for service, kind in kinds if service == "asr"]
        assert asr[:2] == ["transcribe", "audio-start"]
        assert (asr[-1], set(asr[2:-1])) == ("audio-stop", {"audio-chunk"})
        assert [k for s, k in kinds if s == "snd"] == ["audio-start", "audio-chunk", "audio-stop"]
        assert notes == []


async def test_before_the_wake_word_nobody_but_its_service_hears(house: Any) -> None:
    async with house() as own, services() as made:
        made.plays, made.wakes_after = [[tone(1.0)]], 10_000
        async with listening(own, made):
            await own.nodes.until(lambda: made.bytes_to("wake") > 100 * CHUNK)
        assert made.opened.keys() == {"mic", "wake"}


async def test_a_question_back_is_answered_without_the_wake_word(house: Any) -> None:
    async with house() as own, services() as made:
        await own.tell({"Home.Lights.hall.OnOff": True, "Home.Lights.attic.OnOff": True})
        made.plays = [QUESTION, [tone(0.3), bytes(64_000)]]
        made.texts = ["set the heating to 21 degrees", "yes"]
        async with listening(own, made):
            await own.nodes.until(lambda: len(made.said) == 2)
        assert made.said[0].endswith("?")
        assert len(own.ordered) == 1
        services_ = [service for service, _, _ in made.heard]
        first, second = (at for at, one in enumerate(made.heard) if one[1] == "synthesize")
        assert "wake" not in services_[first:second]
        assert "asr" in services_[first:second]


@pytest.mark.parametrize(("person", "told"), [("nobody", False), ("anna", True)])
async def test_who_speaks_is_whom_the_setting_names_and_nobody_is_a_guest(
    house: Any, person: str, told: bool
) -> None:
    async with house() as own, services() as made:
        await own.tell({ROOM: 19.2})
        made.plays, made.texts = [QUESTION], ["how warm is it at home"]
        async with listening(own, made, person):
            await own.nodes.until(lambda: made.played > 0)
        assert ("19" in made.said[0]) == told


async def test_german_is_answered_in_german(house: Any) -> None:
    async with house() as own, services() as made:
        made.plays, made.texts, made.language = [QUESTION], ["ist jemand zu hause"], "de-DE"
        async with listening(own, made):
            await own.nodes.until(lambda: bool(made.said))
        assert "unbekannt" in made.said[0]


async def test_silence_after_the_wake_word_asks_nothing_and_it_listens_again(house: Any) -> None:
    async with house() as own, services() as made:
        made.plays = [[bytes(200_000)], QUESTION]
        made.texts = ["  ", "what can you do"]
        async with listening(own, made):
            await own.nodes.until(lambda: bool(made.said))
        assert len(made.said) == 1
        assert made.opened["wake"] >= 2


async def test_nothing_of_the_sound_is_kept(house: Any) -> None:
    async with house() as own, services() as made:
        made.plays = [[tone(0.3), MARK * 400, bytes(64_000)]]
        made.texts = ["what can you do"]
        async with listening(own, made):
            await own.nodes.until(lambda: made.played > 0)
        assert made.bytes_to("asr") > 400 * len(MARK), "the control: it was heard"
        root = own.nodes["phone"].paths.root
        kept = [path for path in root.rglob("*") if path.is_file() and MARK in path.read_bytes()]
        assert kept == []


WRONG: dict[str, tuple[str, list[Event], str]] = {
    "an end": ("asr", [], r"satellite\.asr .* ended the connection"),
    "an error": (
        "asr",
        [Event("error", {"text": "no model"})],
        r"satellite\.asr .* says: no model",
    ),
    "another form": (
        "mic",
        [Event("audio-chunk", {**FORM, "width": 4}, bytes(64))],
        r"satellite\.mic .* 16 bits",
    ),
    "no rate": ("mic", [Event("audio-chunk", {"width": 2, "channels": 1}, bytes(64))], "16 bits"),
    "half a sample": ("mic", [Event("audio-chunk", dict(FORM), bytes(63))], "16 bits"),
    "a large piece": ("mic", [Event("audio-chunk", dict(FORM), bytes(100_000))], "16 bits"),
    "too large a frame": (
        "mic",
        [Event("audio-chunk", dict(FORM), bytes(2_000_000))],
        "ended the connection",
    ),
    "no wake word": ("wake", [], r"satellite\.wake .* ended the connection"),
    "no voice": ("tts", [Event("audio-stop", {})], r"satellite\.tts .* said nothing"),
    "a voice without sound": (
        "tts",
        [Event("audio-chunk", dict(FORM))] * 3 + [Event("audio-stop", {})],
        r"satellite\.tts .* said nothing",
    ),
}


async def test_a_service_that_does_wrong_is_named_and_tried_again(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(it, "AGAIN_S", (0.05,))
    async with house() as own:
        for name, (service, events, words) in WRONG.items():
            async with services() as made:
                made.plays = [QUESTION] * 200
                made.texts = ["what can you do"] * 200
                made.faults = {service: events}
                async with listening(own, made) as notes:
                    await own.nodes.until(
                        lambda m=made, n=notes, s=service: bool(n) and m.opened.get(s, 0) > 1
                    )
                    assert re.search(words, notes[0]), (name, notes)
                    assert made.played == 0
                    made.faults = {}
                    await own.nodes.until(lambda m=made: m.played > 0)  # the control


async def test_one_that_is_not_there_or_says_nothing_is_waited_for(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(it, "AGAIN_S", (0.05,))
    monkeypatch.setattr(it, "VOICE_S", 0.2)
    async with house() as own, services() as made:
        made.plays, made.texts = [QUESTION], ["what can you do"]
        async with listening(own, made, tts=f"127.0.0.1:{free_port()}") as notes:
            await own.nodes.until(lambda: bool(notes))
            assert "not there" in notes[0]
        made.plays, made.texts, made.voice = [QUESTION], ["what can you do"], lambda text: []
        async with listening(own, made) as notes:
            await own.nodes.until(lambda: bool(notes))
            assert "satellite.tts" in notes[0]
            assert "does not answer in time" in notes[0]


async def test_one_that_gives_frames_and_no_sound_is_not_heard_for_ever(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(it, "AGAIN_S", (0.05,))
    monkeypatch.setattr(it, "VOICE_S", 0.3)
    async with house() as own, services() as made:
        made.plays, made.texts = [QUESTION], ["what can you do"]
        made.faults = {"tts": None}  # pings without an end
        async with listening(own, made) as notes:
            await own.nodes.until(lambda: bool(notes))
        assert re.search(r"satellite\.tts .* does not answer in time", notes[0]), notes


async def test_an_answer_that_breaks_ends_its_round_alone(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(it, "AGAIN_S", (0.05,))
    async with house() as own, services() as made:
        made.plays, made.texts = [QUESTION, QUESTION], ["what can you do"] * 2
        asking = own.nodes["phone"].part(Asking)
        whole = asking.ask

        async def full(*_: object) -> None:
            asking.ask = whole
            raise OSError(errno.ENOSPC, "No space left on device")

        asking.ask = full
        async with listening(own, made) as notes:
            await own.nodes.until(lambda: made.played > 0)
        assert notes == ["The satellite failed (OSError); it listens again."]


async def test_an_endless_voice_has_an_end(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(it, "SAID_MAX_S", 0.2)
    async with house() as own, services() as made:
        made.plays, made.texts = [QUESTION], ["what can you do"]
        made.voice = lambda text: spoken(text)[:1] + spoken(text)[1:2] * 100
        async with listening(own, made):
            await own.nodes.until(lambda: ("snd", "audio-stop", 0) in made.heard)
        assert made.played <= len(tone(0.25))


async def test_another_machine_hears_nothing_unless_a_rule_lets_it(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services are on this machine, and taken for another one's."""
    monkeypatch.setattr(it, "AGAIN_S", (0.05,))
    monkeypatch.setattr(it, "is_here", lambda host: False)
    more = """
[[rule]]
id = "heard-in-the-house"
keys = ["Ask.Question"{}]
from = "phone"
to = ["home"]
purpose = "ask"
"""
    async with house() as own, services() as made:
        made.plays, made.texts = [QUESTION], ["what can you do"]
        rules = own.nodes["phone"].paths.rules
        text = rules.read_text()

        async def let(*keys: str) -> None:
            rules.write_text(text + more.format("".join(f', "{key}"' for key in keys)))
            await own.nodes.ask("phone", "use-rules")

        async with listening(own, made) as notes:
            await own.nodes.until(lambda: bool(notes))
            assert "no rule lets Ask.Question go from phone to home" in notes[0]
            await let()
            await own.nodes.until(lambda: len(notes) == 2)
            assert "no rule lets Ask.Reply" in notes[1], "nor an answer"
            assert made.opened == {}
            await let("Ask.Reply")
            await own.nodes.until(lambda: made.played > 0)
            made.plays, made.wakes_after = [[tone(1.0)]] * 9, 10_000
            until = made.bytes_to("wake") + 20 * CHUNK
            await own.nodes.until(lambda: made.bytes_to("wake") > until)  # the control: it listens
            rules.write_text(text)
            await own.nodes.ask("phone", "use-rules")
            await own.nodes.until(lambda: "no rule lets Ask.Question" in notes[-1])
            assert await falls_silent(made)


async def test_hearthway_up_listens_where_the_settings_say(tmp_path: Path) -> None:
    async with services() as made:
        made.plays, made.texts = [QUESTION], ["what can you do"]
        paths = NodePaths(private_dir(tmp_path / "home"))
        save_config(
            paths,
            Config(
                node=NodeTable(id="home", role=Role.HOME),
                map=MapTable(atlas="none"),
                satellite=SatelliteTable(**made.at),
            ),
        )
        home = NodeProcess("home", paths, lambda _, command: list(command))
        home.start()
        try:
            await home.ready()
            for _ in range(1_000):
                if made.played:
                    break
                await asyncio.sleep(0.02)
            assert made.said[0].startswith("I can say whether")
        finally:
            await asyncio.to_thread(home.stop)


# when it is over, and where the services may be -------------------------------------------------------------------


def ends_after(*parts: tuple[float, float]) -> float:
    """Seconds until it is over; parts are (level, seconds)."""
    end, whole_s = SpeechEnd(), 0.0
    for level, seconds in parts:
        for _ in range(round(seconds / 0.064)):
            whole_s += 0.064
            if end.heard(level, 0.064):
                return whole_s
    return float("inf")


def test_speech_is_over_when_it_was_quiet_for_a_while() -> None:
    near = pytest.approx
    assert ends_after((5000, 2.0), (100, 5.0)) == near(2.0 + QUIET_S, abs=0.2)
    assert ends_after((5000, 1.0), (100, 0.5), (5000, 1.0), (100, 5.0)) == near(
        2.5 + QUIET_S, abs=0.25
    ), "a breath is no end"
    assert ends_after((100, 20.0)) == near(NOTHING_S, abs=0.1)
    assert ends_after((5000, 20.0)) == near(LONGEST_S, abs=0.1)
    assert ends_after((8000, 2.0), (700, 5.0)) == near(2.0 + QUIET_S, abs=0.2), "in a humming room"


def test_loudness() -> None:
    assert level_of(b"") == level_of(b"\1") == level_of(bytes(64)) == 0.0
    assert level_of(array("h", [300, -300] * 8).tobytes()) == 300.0
    assert level_of(array("h", [-32768] * 8).tobytes()) == 32768.0


NODE = '[node]\nid = "phone"\nrole = "{}"\n[satellite]\n'
ALL = 'mic = "{0}:1"\nwake = "{0}:2"\nasr = "{0}:3"\ntts = "{0}:4"\nsnd = "{0}:5"\n'


@pytest.mark.parametrize(
    ("role", "text", "words"),
    [
        ("phone", ALL.format("8.8.8.8"), r"satellite\.mic .* own network"),
        ("phone", ALL.format("whisper.example"), "own network"),
        (
            "phone",
            ALL.format("127.0.0.1").replace('"127.0.0.1:3"', '"93.184.215.14:3"'),
            r"satellite\.asr",
        ),
        ("phone", 'mic = "127.0.0.1:1"\n', r"satellite\.wake is off"),
        ("phone", ALL.format("127.0.0.1").replace(":5", ""), "host:port"),
        ("venue", ALL.format("127.0.0.1"), "answers no questions"),
    ],
)
def test_services_are_all_there_and_on_ones_own_network(role: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(NODE.format(role) + text, "node.toml")


def test_off_by_default_and_any_own_address_will_do() -> None:
    assert Config.__struct_defaults__
    assert set(vars_of(SatelliteTable())) == {"off", ""}
    for host in ("127.0.0.1", "192.168.1.7", "10.0.0.2", "[fd00::1]", "localhost"):
        parse_config(NODE.format("car") + ALL.format(host), "node.toml")


def vars_of(table: SatelliteTable) -> list[str]:
    return [getattr(table, name) for name in table.__struct_fields__]


async def test_it_ends_with_its_node_whatever_it_waits_for(house: Any) -> None:
    async with house() as own, services() as made:
        made.plays, made.wakes_after = [[tone(0.5)]], 10_000
        async with listening(own, made):
            await own.nodes.until(lambda: made.bytes_to("wake") > 0)
            assert not await falls_silent(made), "the control: it listens"
        assert await falls_silent(made)
        assert not [one for one in asyncio.all_tasks() if one.get_name() == "satellite"]
