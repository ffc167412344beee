"""From the wake word to the answer's words: the car alone, and with its driver's phone.

    python bench/voice.py [--share 0.2] [--repeat 100] [--json FILE]

Car and phone as `hearthway up` runs them, each in a network namespace of its own; the car has a share of one core (cgroup),
the phone one core. A relay delays each frame by so many milliseconds each way and sends at so many Mbit/s. A satellite of the
car's (the client of the Wyoming package, in a process of its own) opens the car's Wyoming port and sends, for each question,
the `detection` of the wake word and the `transcript` of what was said; what is timed ends with the answer's text. So neither
microphone nor recogniser nor voice is in it, which are the owner's own programs, nor how long somebody speaks.

    alone   no phone in reach: the car reads the question and answers by its own instruments
    phone   the driver's phone answers, and its student reads where that is sooner; every question crosses and has its receipts

One question has a sentence, the other only a student reads. The peer of a row with the phone is the car alone in the same run. Needs
root, and a cpu controller unless `--share 0`; says so where it is missing. `--data` and `--split` are taken and not needed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wyoming.asr import Transcript
from wyoming.client import AsyncTcpClient
from wyoming.event import Event

from hearthway.app.control import Control
from hearthway.app.namespaces import Lan
from hearthway.app.paths import NodePaths
from hearthway.app.recording import fix_signals, write_recording
from hearthway.records.ask import ASKED
from hearthway.records.errors import HearthwayError
from hearthway.records.signals import Fix

if TYPE_CHECKING or __package__:
    from bench._ends import started
    from bench._offload_world import NoThrottleError, World
    from bench._wire import Talking
else:  # run as a script, its own folder is on the path
    from _ends import started
    from _offload_world import NoThrottleError, World
    from _wire import Talking

VOICE = ("127.0.0.1", 10700)
OWNER, SOC = "anna", "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"
FULL_PCT = 61.0
QUESTIONS = {  # who reads it: what is said
    "sentences": "how full is the battery",
    "student": "how much fuel have we got left in the car",
}
LINKS = ((2.0, 200.0), (20.0, 50.0))  # ms each way, Mbit/s
WARM = 10  # of each, not counted: readers are loaded, and the placement finds out
LIMIT_S = 60.0
AS_OWNER = """
[[rule]]
id = "this-car-asks-as-its-driver"
keys = ["Ask.AsOwner"]
from = "car"
to = ["phone"]
purpose = "ask"
"""


async def satellite() -> None:
    """Each line of standard input is what was heard; a line of JSON says the answer and how long it took."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with AsyncTcpClient(*VOICE) as client:
        print("up", flush=True)
        while line := await reader.readline():
            begun_s = time.monotonic()
            await client.write_event(Event("detection", {"name": "ok_nabu"}))
            await client.write_event(Transcript(text=line.decode().strip()).event())
            answer = await asyncio.wait_for(client.read_event(), LIMIT_S)
            took_s = time.monotonic() - begun_s
            said = {} if answer is None else {"kind": answer.type, **answer.data}
            print(json.dumps({"took_s": took_s, **said}), flush=True)


class Asking:
    """A household whose car is asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        here = str(Path(__file__).resolve())
        command = world.lan.command("car", [sys.executable, here, "--satellite"])
        self._satellite = Talking(command, world.folder / "satellite.err")
        self._satellite.line()

    def node(self, name: str, do: str, /, **fields: Any) -> dict[str, Any]:
        """A request on that node's control socket."""
        with Control(NodePaths(self._world.folder / name).socket, LIMIT_S) as control:
            return control.ask(do, **fields)

    def prepare(self) -> None:
        """Whose phone it is, and that its driver asks in the car."""
        now_s, file = time.time(), self._world.folder / "day.jsonl"
        fixes = (Fix(time_s=now_s - 60.0 * n, lat=60.17, lon=24.94) for n in range(60, 0, -1))
        write_recording(file, [one for fix in fixes for one in fix_signals(fix, "", "phone")])
        self.node("phone", "import", file=str(file), name="Anna", person_id=OWNER)
        for name in ("phone", "car"):
            rules = NodePaths(self._world.folder / name).rules
            rules.write_text(rules.read_text() + AS_OWNER)
            self.node(name, "use-rules")
        self.charged()
        for reader, text in QUESTIONS.items():
            reply = self.node("car", "ask", text=text)
            if reply["by"] != reader or reply["outcome"] != "answered":
                raise HearthwayError(
                    f"{text!r} was read by {reply['by'] or 'nobody'}, not by {reader}: {reply['line']}",
                    "Another student may have come: put a question that it reads into QUESTIONS.",
                )

    def charged(self) -> None:
        """The car's instruments say how full it is, now."""
        signals = [{"key": SOC, "value": FULL_PCT, "time_s": time.time()}]
        self.node("car", "sense", signals=signals)

    def asked(self, text: str) -> float:
        """Seconds until the answer; HearthwayError where it is another than it must be."""
        self._satellite.say(text)
        answer = json.loads(self._satellite.line())
        if answer.get("kind") != "handled" or f"{FULL_PCT:.0f}" not in str(answer.get("text")):
            raise HearthwayError(f"{text!r} was answered with {answer}")
        return float(answer["took_s"])

    def took(self, repeat: int, *, by_phone: bool) -> dict[str, list[float]]:
        """Seconds of each question, the two in turn; the car's receipts must say that the phone was asked, or not."""
        self.charged()
        for text in list(QUESTIONS.values()) * WARM:
            self.asked(text)
        found: dict[str, list[float]] = {reader: [] for reader in QUESTIONS}
        for number in range(repeat):
            if number % 10 == 0:
                self.charged()
            for reader, text in QUESTIONS.items():
                found[reader].append(self.asked(text))
        kept = self.node("car", "receipt", id=ASKED)["receipts"][-len(QUESTIONS) * repeat :]
        asked = [bool(one["measured"]["bytes_to"].get("phone")) for one in kept]
        if set(asked) != {by_phone}:
            raise HearthwayError(f"the phone was asked {sum(asked)} of {len(asked)} times")
        there = sum(
            any((ran["stage"], ran["node"]) == ("student", "phone") for ran in one["computations"])
            for one in kept
        )
        print(f"the phone was given {there} of {repeat} texts for its student", file=sys.stderr)
        return found

    def phone_goes(self) -> None:
        """It is switched off, and the car has noticed."""
        self._world.phone.close()
        for _ in range(600):
            peers = self.node("car", "status").get("peers", [])
            if not any(one.get("alive") for one in peers if one.get("node") == "phone"):
                return
            time.sleep(0.1)
        raise HearthwayError("the car still reaches a phone that is gone")

    def close(self) -> None:
        """The satellite is gone."""
        self._satellite.close()


def measured(world: World, repeat: int) -> dict[str, dict[str, list[float]]]:
    """By case and reader, seconds."""
    asking = Asking(world)
    try:
        asking.prepare()
        found = {}
        for delay_ms, mbit in LINKS:
            world.relay.link(delay_ms, mbit)
            found[f"phone, {delay_ms:g} ms {mbit:g} Mbit/s"] = asking.took(repeat, by_phone=True)
        asking.phone_goes()
        found["alone"] = asking.took(repeat, by_phone=False)
        return found
    finally:
        asking.close()


def rows_of(found: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """One for each case, reader and quantile; milliseconds."""
    rows = []
    for case, readers in found.items():
        for reader, times in readers.items():
            for name, at in (("p50", 49), ("p95", 94)):
                ours = statistics.quantiles(times, n=100)[at] * 1e3
                theirs = statistics.quantiles(found["alone"][reader], n=100)[at] * 1e3
                known = case != "alone"
                rows.append(
                    {
                        "case": f"{case}, read by {reader}",
                        "metric": f"wake word to answer, {name}",
                        "unit": "ms",
                        "ours": round(ours, 1),
                        "peer": "the car alone" if known else "",
                        "theirs": round(theirs, 1) if known else None,
                        "ratio": round(ours / theirs, 2) if known else None,
                    }
                )
    return rows


def main() -> int:
    """Measure and say it; 2 where this machine cannot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=0.2, help="0: nobody is slowed")
    parser.add_argument("--repeat", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--satellite", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split")
    given = parser.parse_args()
    if given.satellite:
        asyncio.run(satellite())
        return 0
    if why := Lan.why_not():
        print(f"skipped: no network namespaces: {why}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its control groups go with it
    print(f"load {os.getloadavg()[0]:.1f} at the start")
    try:
        with World(given.share or None, owner=OWNER, voice=f"{VOICE[0]}:{VOICE[1]}") as world:
            rows = rows_of(measured(world, max(given.repeat, 2)))
    except NoThrottleError as why:
        print(f"skipped: no slower processor on this machine: {why}")
        return 2
    except HearthwayError as why:
        print(f"failed: {why}")
        return 1
    for row in rows:
        print(
            f"{row['case']:45} {row['metric']:25} {row['ours']:8.1f} ms"
            + (f"  ({row['ratio']:.2f} of the car alone)" if row["ratio"] else "")
        )
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    told = {"bench": "voice", "rows": rows}
    if given.json is not None:
        given.json.write_text(json.dumps(told, indent=1))
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    started(main)
