"""Drives and batteries that others simulate: SUMO's traffic on an extract's streets, FASTSim's cars on those drives.

Nothing here is measured: "simulated by SUMO" and "simulated by FASTSim" is what may be said of it.

FASTSim's Leaf, Bolt and Model 3 carry their own thermal models of cabin and (the latter two) battery; every trip begins soaked
at the air's temperature. Its Zoe carries none, so temperature would not touch it: there, and only there, this file adds a constant
auxiliary load by temperature (`zoe_extra_w`), which is our assumption and no figure of FASTSim's.

OSM has no heights: a smooth ground is invented from the seed (`Ground`), and used only where a case says so.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from hearthway.records.errors import ConfigError, InputError

try:
    from scripts.make_drives import Edge, read_extract, read_net, run_sumo
except ModuleNotFoundError:  # started as a script: the tree's root is not on the path
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from scripts.make_drives import Edge, read_extract, read_net, run_sumo

CARS = {
    "Leaf": "2016 Nissan Leaf 30 kWh thrml.yaml",
    "Bolt": "2020 Chevrolet Bolt EV thrml.yaml",
    "Model 3": "2022 Tesla Model 3 RWD thrml.yaml",
    "Zoe": "2022_Renault_Zoe_ZE50_R135.yaml",
}
# A year in blocks, so that the first cold day meets a car that was never seen in the cold.
SEASONS_C = (10.0, -10.0, 10.0, 30.0)
BACKGROUND_PER_HOUR = 240
MIN_TRIP_M, MAX_TRIP_M = 6_000.0, 40_000.0
HORIZON_S = 5_400.0
MOST_MPS2 = 2.5  # beyond it SUMO brakes in an emergency, and no motor accelerates
SMALL = ("service", "track", "pedestrian", "footway", "path", "cycleway", "living_street")


@dataclass(frozen=True)
class Driver:
    """One person in one car: how he drives, how much he carries, how warm he likes it."""

    number: int
    car: str
    speed_factor: float
    accel: float
    decel: float
    sigma: float
    tau_s: float
    cargo_kg: float
    set_c: float

    @staticmethod
    def drawn(number: int, random: Random) -> Driver:
        return Driver(
            number=number,
            car=list(CARS)[number % len(CARS)],
            speed_factor=random.uniform(0.85, 1.18),
            accel=random.uniform(1.0, 1.9),
            decel=random.uniform(1.5, 3.5),
            sigma=random.uniform(0.2, 0.8),
            tau_s=random.uniform(0.8, 1.6),
            cargo_kg=random.uniform(0.0, 300.0),
            set_c=random.uniform(19.0, 24.0),
        )


@dataclass(frozen=True)
class Drive:
    """One trip as driven: the route as the map has it, and what SUMO made of it, once a second."""

    driver: int
    number: int
    route: tuple[tuple[float, float], ...]  # (metres, the map's speed in m/s) by edge
    climb_m: tuple[float, ...]  # by edge of the route, over the invented ground; zeros make it flat
    speeds_mps: tuple[float, ...]


@dataclass(frozen=True)
class Emptied:
    """FASTSim's battery over a drive: percent of the usable charge once a second."""

    soc_pct: tuple[float, ...]
    speeds_mps: tuple[float, ...]  # as FASTSim drove it, from a standing start
    usable_kwh: float


def needed() -> None:
    """ConfigError with the command where SUMO, FASTSim or osmium is missing."""
    missing = [name for name in ("sumo", "fastsim", "osmium") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"This bench needs {', '.join(missing)}, which the base install has no use for.",
            "Install the extra: pip install -e '.[pack]' (eclipse-sumo==1.28.0, fastsim==3.1.0).",
        )


class Ground:
    """Invented heights: a sum of waves of 2.5 to 9 km, slopes of a few per cent. No map's."""

    def __init__(self, seed: str) -> None:
        random = Random(seed)
        self._waves = [
            (
                2 * math.pi / length,
                random.uniform(0, 2 * math.pi),
                random.uniform(0, 2 * math.pi),
                length * 0.0055,
            )
            for length in (2_500.0, 4_000.0, 6_000.0, 9_000.0)
        ]

    def height_m(self, x: float, y: float) -> float:
        return sum(
            size * math.sin(k * (x * math.cos(way) + y * math.sin(way)) + phase)
            for k, way, phase, size in self._waves
        )


@dataclass(frozen=True)
class World:
    """An extract as SUMO has it."""

    name: str
    edges: dict[str, Edge]

    def between(self, random: Random) -> tuple[Edge, Edge]:
        """A start and an end whose bee-line suits a trip."""
        usable = self.usable()
        while True:
            a, b = random.choice(usable), random.choice(usable)
            gap = math.dist(a.points[0], b.points[0])
            if MIN_TRIP_M * 0.7 <= gap <= MAX_TRIP_M:
                return a, b

    def usable(self) -> list[Edge]:
        return [
            edge
            for _, edge in sorted(self.edges.items())
            if edge.length_m > 30.0 and not edge.kind.endswith(SMALL)
        ]


def driven(extract: Path, drivers: Sequence[Driver], trips: int, seed: str) -> list[Drive]:
    """Every driver's trips in one SUMO run among other traffic; trips that were teleported or too short are left out."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        read_extract(extract, work / "m.osm")
        run_sumo(
            *("netconvert", "--osm-files", str(work / "m.osm"), "-o", str(work / "m.net.xml")),
            *("--geometry.remove", "--roundabouts.guess", "--junctions.join"),
            *("--tls.guess-signals", "--tls.join", "--tls.default-type", "actuated"),
            *("--keep-edges.by-vclass", "passenger", "--remove-edges.isolated"),
            *("--keep-edges.components", "1", "--no-turnarounds.except-deadend"),
        )
        edges, _ = read_net(work / "m.net.xml")
        world = World(extract.name.split(".")[0], {edge.edge_id: edge for edge in edges})
        if len(world.usable()) < 50:
            raise InputError(f"{extract.name} has too few streets to drive on.", "Take another.")
        random = Random(f"range/{seed}/{world.name}")
        _write_traffic(work / "m.rou.xml", world, drivers, trips, random)
        names = [f"d{driver.number}_{trip}" for driver in drivers for trip in range(trips)]
        run_sumo(
            *("sumo", "-n", str(work / "m.net.xml"), "-r", str(work / "m.rou.xml")),
            *("--fcd-output", str(work / "fcd.xml"), "--fcd-output.attributes", "speed"),
            *("--device.fcd.explicit", ",".join(names), "--device.rerouting.probability", "0"),
            *("--vehroute-output", str(work / "routes.xml"), "--ignore-route-errors", "true"),
            *("--end", str(HORIZON_S * 2), "--step-length", "1", "--no-step-log", "true"),
            *("--seed", str(random.randrange(1 << 30)), "--time-to-teleport", "120"),
        )
        return _read(work / "fcd.xml", work / "routes.xml", world, Ground(seed))


def _write_traffic(
    path: Path, world: World, drivers: Sequence[Driver], trips: int, random: Random
) -> None:
    lines: list[tuple[float, str]] = []
    types = []
    for driver in drivers:
        types.append(
            f'<vType id="t{driver.number}" speedFactor="normc({driver.speed_factor:.3f},0.03,0.7,1.4)" '
            f'accel="{driver.accel:.2f}" decel="{driver.decel:.2f}" sigma="{driver.sigma:.2f}" '
            f'tau="{driver.tau_s:.2f}"/>'
        )
        kind = f"t{driver.number}"
        lines += [_trip(f"d{driver.number}_{n}", kind, world, random) for n in range(trips)]
    count = int(BACKGROUND_PER_HOUR * HORIZON_S / 3600)
    lines += [_trip(f"bg{i}", "DEFAULT_VEHTYPE", world, random) for i in range(count)]
    lines.sort()
    body = "\n".join([*types, *(text for _, text in lines)])
    path.write_text(f"<routes>\n{body}\n</routes>\n")


def _trip(name: str, kind: str, world: World, random: Random) -> tuple[float, str]:
    start, end = world.between(random)
    depart = random.uniform(0.0, HORIZON_S)
    text = (
        f'<trip id="{name}" type="{kind}" depart="{depart:.1f}" from="{start.edge_id}" '
        f'to="{end.edge_id}" departLane="best" departSpeed="0" departPos="0" arrivalSpeed="0"/>'
    )
    return depart, text


def _read(fcd: Path, routes: Path, world: World, ground: Ground) -> list[Drive]:
    speeds: dict[str, list[float]] = {}
    for _, step in ElementTree.iterparse(fcd):
        if step.tag == "timestep":
            for car in step:
                speeds.setdefault(car.attrib["id"], []).append(float(car.attrib["speed"]))
            step.clear()
    drives = []
    for vehicle in ElementTree.parse(routes).getroot().iter("vehicle"):
        name = vehicle.attrib["id"]
        route = vehicle.find("route")
        if not name.startswith("d") or "arrival" not in vehicle.attrib or route is None:
            continue
        edges = [world.edges[i] for i in route.attrib["edges"].split() if i in world.edges]
        trace = speeds.get(name, [])
        seconds = float(vehicle.attrib["arrival"]) - float(vehicle.attrib["depart"])
        # a teleported car has a hole in its trace: its battery could not be simulated
        if sum(trace) < MIN_TRIP_M or abs(seconds - len(trace)) > 3.0:
            continue
        driver, trip = name[1:].split("_")
        drives.append(
            Drive(
                driver=int(driver),
                number=int(trip),
                route=_route(edges),
                climb_m=tuple(_climb(edge, ground) for edge in edges),
                speeds_mps=tuple(trace),
            )
        )
    return sorted(drives, key=lambda drive: (drive.driver, drive.number))


def _route(edges: Sequence[Edge]) -> tuple[tuple[float, float], ...]:
    """Lengths with the crossing behind each edge, which SUMO counts apart, and allowed speeds."""
    gaps = [math.dist(a.points[-1], b.points[0]) for a, b in itertools.pairwise(edges)]
    return tuple(
        (edge.length_m + gap, edge.speed_mps) for edge, gap in zip(edges, [*gaps, 0.0], strict=True)
    )


def _climb(edge: Edge, ground: Ground) -> float:
    return ground.height_m(*edge.points[-1]) - ground.height_m(*edge.points[0])


def zoe_extra_w(temperature_c: float) -> float:
    """Our assumption, not FASTSim's: 70 W a kelvin below 18 C, 40 W a kelvin above 24 C, while driving."""
    return 70.0 * max(0.0, 18.0 - temperature_c) + 40.0 * max(0.0, temperature_c - 24.0)


def emptied(drive: Drive, driver: Driver, temperature_c: float, start_soc: float) -> Emptied | None:
    """The battery over a drive by FASTSim, from `start_soc` (0 to 1 of the usable charge); None where it cannot drive it."""
    import fastsim

    vehicle: dict[str, Any] = fastsim.Vehicle.from_resource(CARS[driver.car]).to_dict()
    vehicle["mass_kilograms"] += driver.cargo_kg
    speeds, metres, grades = _within_power(drive, vehicle)
    kelvin = temperature_c + 273.15
    cycle = fastsim.Cycle.from_resource("udds.csv").to_dict()
    cycle |= {
        "time_seconds": [float(i) for i in range(len(speeds))],
        "speed_meters_per_second": speeds,
        "dist_meters": metres,
        "grade": grades,
        "elev_meters": [cycle["init_elev_meters"]] * len(speeds),
        "pwr_max_chrg_watts": [0.0] * len(speeds),
        "pwr_solar_load_watts": [0.0] * len(speeds),
        "temp_amb_air_kelvin": [kelvin] * len(speeds),
    }
    battery = vehicle["pt_type"]["BEV"]["res"]
    low, high = battery["min_soc"], battery["max_soc"]
    battery["state"]["soc"] = low + start_soc * (high - low)
    _soak(vehicle, driver, temperature_c)
    # cold air is denser; FASTSim's default keeps the constant density of its version 2
    params = fastsim.SimParams.default().to_dict() | {"f2_const_air_density": False}
    run = fastsim.SimDrive(
        fastsim.Vehicle.from_dict(vehicle),
        fastsim.Cycle.from_dict(cycle),
        fastsim.SimParams.from_dict(params),
    )
    try:
        run.run()
    except RuntimeError:  # FASTSim's own word for a step that its powertrain cannot do
        return None
    told = run.to_dict()["veh"]["pt_type"]["BEV"]["res"]["history"]["soc"]
    return Emptied(
        soc_pct=tuple(100.0 * (soc - low) / (high - low) for soc in told),
        speeds_mps=tuple(speeds),
        usable_kwh=battery["energy_capacity_joules"] / 3.6e6 * (high - low),
    )


def _soak(vehicle: dict[str, Any], driver: Driver, temperature_c: float) -> None:
    """Cabin and battery begin at the air's temperature; the cabin is wanted as the driver likes it."""
    kelvin = temperature_c + 273.15
    if vehicle["cabin"] is None or vehicle["cabin"] == "None":
        vehicle["pwr_aux_base_watts"] += zoe_extra_w(temperature_c)
        return
    states = [vehicle["cabin"]["LumpedCabin"]["state"]]
    thermal = vehicle["pt_type"]["BEV"]["res"].get("thrml")
    if isinstance(thermal, dict):
        states.append(thermal["RESLumpedThermal"]["state"])
    for state in states:
        state["temperature_kelvin"] = state["temp_prev_kelvin"] = kelvin
    for hvac in vehicle["hvac"].values():
        for key in ("te_set_kelvin", "te_set_cab_kelvin"):
            if key in hvac:
                hvac[key] = driver.set_c + 273.15


def _within_power(
    drive: Drive, vehicle: dict[str, Any]
) -> tuple[list[float], list[float], list[float]]:
    """Speeds, metres and slopes with SUMO's accelerating and braking held to 80 % of the motor.

    SUMO knows no motor, and FASTSim refuses a trace that asks more of one.
    """
    most_w = 0.8 * min(
        vehicle["pt_type"]["BEV"]["em"]["pwr_out_max_watts"],
        vehicle["pt_type"]["BEV"]["res"]["pwr_out_max_watts"],
    )
    mass, chassis = 1.04 * vehicle["mass_kilograms"], vehicle["chassis"]
    air = 0.6 * chassis["drag_coef"] * chassis["frontal_area_square_meters"]
    wanted = [0.0, *drive.speeds_mps]
    grades = _grades(drive, list(itertools.accumulate(wanted)))
    for i in range(len(wanted) - 2, 0, -1):
        after = max(5.0, wanted[i + 1])
        spare_w = most_w - mass * 9.81 * max(0.0, -grades[i]) * after
        wanted[i] = min(wanted[i], wanted[i + 1] + _held(0.3, spare_w / (mass * after)))
    speeds = [0.0]
    for grade, speed in zip(grades[1:], wanted[1:], strict=True):
        before = max(5.0, speeds[-1])
        spare_w = most_w - (air * before**2 + mass * 9.81 * (0.01 + grade)) * before
        speeds.append(min(speed, speeds[-1] + _held(0.05, spare_w / (mass * before))))
    return speeds, list(itertools.accumulate(speeds)), grades


def _held(least_mps2: float, wanted_mps2: float) -> float:
    return min(MOST_MPS2, max(least_mps2, wanted_mps2))


def _grades(drive: Drive, metres: Sequence[float]) -> list[float]:
    ends = list(itertools.accumulate(length for length, _ in drive.route))
    grades, edge = [], 0
    for along in metres:
        while edge < len(ends) - 1 and along > ends[edge]:
            edge += 1
        grades.append(drive.climb_m[edge] / max(1.0, drive.route[edge][0]))
    return grades
