"""A whole drive on the wire, from the first packet to the last: nothing of it can be read, and nothing leaves.

Every frame between four nodes is captured: discovery, pairing, handshakes, signals, suggestions, the venue's wait. The
control beside each claim: the same capture and the same search find what is planted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from hearthway.app.config import Config
from hearthway.app.drive import NODES, Drive, DriveOptions
from hearthway.app.loopback import Loopback
from hearthway.app.namespaces import SUBNET, Lan
from hearthway.app.paths import NodePaths
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.trust.identity import HouseholdRoot
from hearthway.records import codec, messages
from hearthway.records.signals import Signal
from hearthway.sense.catalogue import CATALOGUE
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

pytestmark = [pytest.mark.netns, pytest.mark.timeout(300), pytest.mark.usefixtures("isolated")]
CAPTURE = Path(__file__).with_name("capture_main.py")
HOUSEHOLD_NAME = "Marjaniemi-Lindqvist"
LINK = ipaddress.IPv4Network(f"{SUBNET}.0/24")
NEAR_BYTES = 64  # two halves of one position stand this close in any encoding
SEND = """
import socket, sys
port, data = int(sys.argv[2]), bytes.fromhex(sys.argv[3])
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.sendto(data, (sys.argv[1], port))
"""
SPLIT = """
import socket, sys, threading
data = bytes.fromhex(sys.argv[2])
link = socket.create_connection((sys.argv[1], 7999))
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for at in range(0, len(data), 3):
    link.sendall(data[at : at + 3])
link.close()
"""
LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 7999))
print("ready", flush=True)
link, _ = server.accept()
while link.recv(9999): pass
"""
ASTRAY = """
import socket, struct, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, bytes([10, 77, 0, 1]), bytes([192, 0, 2, 1]))
raw.send(b"\\xff" * 6 + bytes(6) + b"\\x08\\x00" + ip + struct.pack("!HHHH", 9, 9, 8, 0))
"""


# reading a capture ------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a capture holds: every frame, and each TCP stream put together again."""

    frames: list[bytes] = field(default_factory=list)
    streams: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)

    @property
    def everything(self) -> bytes:
        """All of it one after the other, apart by zeros."""
        return bytes(64).join([*self.frames, *self.streams.values()])


def read(pcap: Path) -> Seen:
    data, at, seen = pcap.read_bytes(), 24, Seen()
    assert data[:4] == struct.pack("<I", 0xA1B2C3D4)
    segments: dict[tuple[bytes, bytes], list[tuple[int, bytes]]] = {}
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        seen.frames.append(frame)
        if frame[12:14] == b"\x08\x00" and frame[23] == 6:
            head = 14 + (frame[14] & 15) * 4
            total = 14 + int.from_bytes(frame[16:18], "big")
            payload = frame[head + (frame[head + 12] >> 4) * 4 : total]
            ends = (
                frame[26:30] + frame[head : head + 2],
                frame[30:34] + frame[head + 2 : head + 4],
            )
            if payload:
                number = int.from_bytes(frame[head + 4 : head + 8], "big")
                segments.setdefault(ends, []).append((number, payload))
    seen.streams = {ends: _joined(parts) for ends, parts in segments.items()}
    return seen


def _joined(parts: list[tuple[int, bytes]]) -> bytes:
    """Segments in their order, each byte once; the first one's number is the start."""
    start = parts[0][0]
    whole, end = bytearray(), 0
    for number, payload in sorted(((n - start) & 0xFFFFFFFF, p) for n, p in parts):
        if number < 1 << 31 and number + len(payload) > end:
            whole += payload[max(0, end - number) :]
            end = number + len(payload)
    return bytes(whole)


def outside(seen: Seen) -> set[str]:
    """Addresses on the wire that are not the private link's; every frame that is neither IPv4 nor ARP."""
    found = set()
    for frame in seen.frames:
        kind = frame[12:14]
        if kind == b"\x08\x00":
            ends = [ipaddress.IPv4Address(frame[26:30]), ipaddress.IPv4Address(frame[30:34])]
        elif kind == b"\x08\x06":
            ends = [ipaddress.IPv4Address(frame[28:32]), ipaddress.IPv4Address(frame[38:42])]
        else:
            found.add(f"a frame of kind {kind.hex()}")
            continue
        found |= {str(one) for one in ends if one not in LINK}
    return found


# what must not be found -------------------------------------------------------------------------------------------


@dataclass
class Secrets:
    """What no capture may hold: words in any capitals, exact bytes, and numbers in the encodings programs use."""

    words: dict[str, str] = field(default_factory=dict)  # word -> what it is
    exact: dict[bytes, str] = field(default_factory=dict)
    positions: list[tuple[float, float]] = field(default_factory=list)
    numbers: set[float] = field(default_factory=set)

    def found_in(self, data: bytes) -> set[str]:
        """Kinds of what was found, each with an example."""
        lower = data.lower()
        found = {
            f"{kind}: {word}"
            for word, kind in self.words.items()
            if any(
                word.lower().encode(code) in lower for code in ("utf-8", "utf-16-le", "utf-16-be")
            )
        }
        found |= {f"{kind}: {some!r}" for some, kind in self.exact.items() if some in data}
        return found | self._text_positions(data) | self._doubles(data) | self._halves(data)

    def _text_positions(self, data: bytes) -> set[str]:
        """Coordinates written out, to four digits."""
        wanted = {f"{n:.6f}"[:-2] for pair in self.positions for n in pair}
        hits = re.findall(rb"(?=(\d\d\.\d{4}))", data)
        return {f"position as text: {hit.decode()}" for hit in hits if hit.decode() in wanted}

    def _doubles(self, data: bytes) -> set[str]:
        """Every number as a float64, either end first (msgpack's is big-endian)."""
        wanted = np.array(sorted(self.numbers | {n for pair in self.positions for n in pair}))
        # a round number's few bytes may stand anywhere by chance: only those with enough of their own
        rich = [len(set(struct.pack("<d", n)) - {0}) >= 5 for n in wanted]
        wanted = wanted[rich].view("<u8")
        found = set()
        for shift in range(8):
            usable = (len(data) - shift) // 8 * 8
            for order in ("<", ">"):
                values = np.frombuffer(data, f"{order}u8", usable // 8, shift).astype("<u8")
                for hit in np.intersect1d(values, wanted):
                    found.add(f"float64 {order}: {np.array([hit], '<u8').view('<f8')[0]}")
        return found

    def _halves(self, data: bytes) -> set[str]:
        """A position as two float32, or as two whole numbers of 1e-7 degrees, near one another."""
        found = set()
        pairs = np.array(self.positions)
        for name, kind in (("float32", "f4"), ("1e-7 degrees", "i4")):
            scaled = pairs if kind == "f4" else np.rint(pairs * 1e7)
            for order in ("<", ">"):
                lat, lon = (scaled[:, i].astype(f"<{kind}").view("<u4") for i in (0, 1))
                where = [_places(data, order, side) for side in (lat, lon)]
                both = where[0][:, None] - where[1][None, :]
                if both.size and (np.abs(both) <= NEAR_BYTES).any():
                    found.add(f"position as {name} {order}")
        return found


def _places(data: bytes, order: str, wanted: Any) -> Any:
    """Where any of these 4-byte words stand."""
    places = [np.empty(0, np.int64)]
    for shift in range(4):
        values = np.frombuffer(data, f"{order}u4", (len(data) - shift) // 4, shift).astype("<u4")
        places.append(np.flatnonzero(np.isin(values, wanted)) * 4 + shift)
    return np.concatenate(places)


def secrets_of(run: Captured) -> Secrets:
    """Everything that this drive was about."""
    found = Secrets()
    for key in CATALOGUE:
        found.words[key] = "key"
    for name, value in vars(messages).items():
        if name.isupper() and isinstance(value, str):
            found.words[value] = "key"
    for rule in Rules.parse(default_rules(), "default").rules:
        found.words |= {key.removesuffix(".*"): "key" for key in rule.keys if len(key) > 6}
        if len(rule.id) > 5:
            found.words[rule.id] = "rule"
    found.words |= {run.device_id(name): "device id" for name in NODES}
    found.words |= {"venue": "role", "phone": "role"}
    for role in (
        "car",
        "home",
    ):  # short words stand by chance anywhere: in the forms that records have
        for form in (f"/{role}/", f'"{role}"', f"={role},", f"{chr(12)}{chr(len(role))}{role}"):
            found.exact[form.encode()] = "role"
    found.words |= {run.household_id: "household id", HOUSEHOLD_NAME: "household name"}
    for person in run.family.people:
        found.words |= {person.person_id: "person id", person.name: "person name"}
    found.words |= run.pois()
    for venue in run.family.venues:
        found.words |= {venue.osm_id: "OSM id", venue.name: "POI name"}
    for _, batch in run.family.drive.ticks:
        _positions(batch, found)
    return found


def _positions(batch: Sequence[Signal], found: Secrets) -> None:
    values = {s.key: s.value for s in batch if isinstance(s.value, float)}
    lat = next((v for k, v in values.items() if k.endswith("Latitude")), None)
    lon = next((v for k, v in values.items() if k.endswith("Longitude")), None)
    if isinstance(lat, float) and isinstance(lon, float):
        found.positions.append((lat, lon))
    found.numbers |= {v for v in values.values() if isinstance(v, float)}


# the drive --------------------------------------------------------------------------------------------------------


class Captured(Drive):
    """A drive with a capture on the link from before the first node starts until the last one is gone."""

    pcap: Path
    planted: Path
    household_id = ""
    lost = -1

    def device_id(self, name: str) -> str:
        """Ids that stand nowhere by chance."""
        return f"{name}-kvartz7"

    @property
    def family(self) -> SyntheticHousehold:
        """The household whose drive it is."""
        return self._household

    @contextmanager
    def _lan(self) -> Iterator[Lan | Loopback]:
        with super()._lan() as lan:
            assert isinstance(lan, Lan)
            with self.capture(lan, self.pcap):
                yield lan
            keys = NodePaths(self._options.data / "home").keys
            self.household_id = HouseholdRoot.load(keys, time.time()).roster.household_id
            with self.capture(lan, self.planted):
                self._plant(lan)

    @contextmanager
    def capture(self, lan: Lan, file: Path) -> Iterator[None]:
        """Into `file`, every frame counted."""
        program = subprocess.Popen(
            lan.at_switch([sys.executable, "-I", "-S", str(CAPTURE), str(file)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            out, _ = program.communicate(timeout=20)
            self.lost = max(self.lost, int(out))

    def _config(self, name: str, lan: Lan | Loopback) -> Config:
        config = super()._config(name, lan)
        node = replace(
            config.node, id=self.device_id(name), name=HOUSEHOLD_NAME if name == "home" else ""
        )
        return replace(config, node=node)

    def pois(self) -> dict[str, str]:
        """Names and OSM ids in what the drive said."""
        found = {}
        for suggestion in self.result.suggestions:
            for osm_id in re.findall(r"(?:node|way|relation)/\d+", json.dumps(suggestion)):
                found[osm_id] = "OSM id"
            for candidate in suggestion.get("candidates", []):
                found |= {str(v): "POI name" for k, v in candidate.items() if k == "name" and v}
        return found

    def _plant(self, lan: Lan) -> None:
        """One thing of each kind in plain text, as datagrams, in a stream cut into small pieces, and one astray."""

        def run(name: str, code: str, *words: str) -> None:
            argv = lan.command(name, [sys.executable, "-I", "-S", "-c", code, *words])
            subprocess.run(argv, check=True, timeout=20)

        secrets, home = secrets_of(self), lan.address("home")
        lat, lon = secrets.positions[7]
        signal = Signal(key="Vehicle.CurrentLocation.Latitude", value=lat, time_s=0.0)
        for data in (
            codec.pack(signal),
            json.dumps({"at": [lat, lon]}).encode(),
            struct.pack("<2f", lat, lon),
            struct.pack("!4x2f", lat, lon),
            struct.pack("<2i", round(lat * 1e7), round(lon * 1e7)),
            HOUSEHOLD_NAME.upper().encode("utf-16-le"),
        ):
            run("phone", SEND, home, "7998", data.hex())
        listening = subprocess.Popen(
            lan.command("home", [sys.executable, "-I", "-S", "-c", LISTEN]), stdout=subprocess.PIPE
        )
        assert listening.stdout is not None
        listening.stdout.readline()
        run("car", SPLIT, home, self.device_id("phone").encode().hex())
        listening.wait(timeout=20)
        listening.stdout.close()
        run("phone", ASTRAY)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, isolated: None) -> Captured:
    """The drive, captured."""
    atlas = Atlas.bundled()
    try:
        household = generate(Settings(), atlas, atlas, DrivePool.bundled(), atlas.place_name)
    finally:
        atlas.close()
    people = [replace(p, name=f"{p.name}-Kvartznamn") for p in household.people]
    household = replace(
        household, people=people
    )  # a name of three letters stands anywhere by chance
    folder = tmp_path_factory.mktemp("pcap")
    said: list[str] = []
    made = Captured(DriveOptions(data=folder / "drive", sink=True), household, said.append)
    made.pcap, made.planted = folder / "drive.pcap", folder / "planted.pcap"
    asyncio.run(made.run())
    assert made.result.suggestions, said
    return made


def test_a_whole_drive_is_on_the_capture(run: Captured) -> None:
    """Else the rest proves nothing: pairing, mesh and venue are there, and no frame was lost."""
    seen = read(run.pcap)
    ports = {int.from_bytes(end[1][4:], "big") for end in seen.streams}
    assert run.lost == 0
    assert {7447, 7448, 7480} <= ports
    assert len({end[0][:4] for end in seen.streams}) == len(NODES)
    assert sum(len(stream) for stream in seen.streams.values()) > 100_000
    secrets = secrets_of(run)
    assert len(secrets.words) > 80
    assert min(len(word) for word in secrets.words) >= 5
    assert len(secrets.positions) > 100


def test_nothing_of_it_can_be_read(run: Captured) -> None:
    """No key, no value, no name: not of pairing, not of a handshake, not of the venue's wait."""
    assert secrets_of(run).found_in(read(run.pcap).everything) == set()


def test_what_is_planted_is_found(run: Captured) -> None:
    """The control: by the same capture and the same search, each encoding on its own."""
    found = " ".join(sorted(secrets_of(run).found_in(read(run.planted).everything)))
    lat, _ = secrets_of(run).positions[7]
    for kind in (
        "key: Vehicle.CurrentLocation.Latitude",
        f"float64 >: {lat}",
        "position as text",
        "position as float32 <",
        "position as float32 >",
        "position as 1e-7 degrees <",
        f"household name: {HOUSEHOLD_NAME}",
        f"device id: {run.device_id('phone')}",
    ):
        assert kind in found, found


def test_no_packet_is_outside_the_private_link(run: Captured) -> None:
    """Not on the link by its addresses, and none by the default route that every node had."""
    assert outside(read(run.pcap)) == set()
    assert run.result.measured["sink_packets"] == 0
    assert outside(read(run.planted)) == {"192.0.2.1"}  # the control
