"""The car borrows the phone's processor: where that is sooner, how well it is chosen, and what a vanished phone costs.

    python bench/offload.py [--share 0.2] [--repeat 3] [--parts curve,cut,kill,peer] [--kills 100] [--json FILE]

Two nodes as `hearthway up` runs them, each in a network namespace of its own; the car has a share of one core
(cgroup), the phone a whole one, in half of the rows with a busy program beside; not the same one where there are two. A
relay program delays each frame by so many milliseconds each way and sends at so many Mbit/s. A task is a batch of
detours: random stops on the bundled map, never the same ones twice (a map remembers where points lie).

    curve   for each network, load and size: all here, all at the phone, and where the placement puts it, in turn.
            Break-even: the smallest size that is sooner at the phone. Regret: how much longer the placement's own
            tasks took than the better of the two. What is pinned teaches the placement nothing; after each change of
            network or load it has four tasks, not counted, to find out. Each task begins when what the one before
            left to be compared or learned of is over on both sides: what that would hold up is not in these figures.
    cut     the wire is cut at a random moment of a task that the phone computes: total time beside all here, in turn, and
            beside what the same task takes all here, by the CPU that it took in the car
    kill    the phone is killed amid a task: the same answer within the deadline?
    peer    plain RPC over a TLS stream with the same tasks where offloading wins most; and Ray (--ray PYTHON)

Needs root and a cpu controller; says so where it is missing. `--data` and `--split` are taken and not needed. A task
that failed is told, its point has no figures, and the status is 1. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hearthway.app.namespaces import Lan

if TYPE_CHECKING:
    from bench._ends import finish, started
    from bench._offload_node import compute, task_of
    from bench._offload_world import HERE, NoThrottleError, World
    from bench._wire import Talking
else:  # run as a script, its own folder is on the path
    from _ends import finish, started
    from _offload_node import compute, task_of
    from _offload_world import HERE, NoThrottleError, World
    from _wire import Talking

DELAYS_MS, RATES_MBIT = (2.0, 20.0, 80.0), (10.0, 50.0, 200.0)
SIZES = (10, 40, 120, 360, 720)
WARM = (40, 360, 120, 720)
PARTS = ("curve", "cut", "kill", "peer")
REGRET_MAX, CUT_MAX = 0.15, 1.1


class FailedError(Exception):
    """A task had no answer."""


class Seeds:
    """Never the same stops twice."""

    def __init__(self, seed: int) -> None:
        self._next = seed * 1_000_000

    def __call__(self) -> int:
        self._next += 1
        return self._next


def asked(world: World, stops: int, seeds: Seeds, where: str | None = None) -> dict[str, Any]:
    """One task's end. FailedError where there is no answer."""
    return answered(world.ask(stops, seeds(), where), where or "as placed")


def answered(done: dict[str, Any], what: str) -> dict[str, Any]:
    """The same. FailedError where there is no answer."""
    if not done["ok"]:
        raise FailedError(f"{what}: {done['why']}")
    return done


def curve(world: World, seeds: Seeds, repeat: int, failed: list[str]) -> list[dict[str, Any]]:
    """Every point: seconds here, at the phone, and as placed; what failed goes into `failed`."""
    rng = random.Random(5)
    states = [(d, r, busy) for d in DELAYS_MS for r in RATES_MBIT for busy in (False, True)]
    rng.shuffle(states)
    points = []
    for delay_ms, mbit, busy in states:
        world.relay.link(delay_ms, mbit)
        with world.busy(busy):
            for stops in WARM:
                world.ask(stops, seeds())
            for stops in SIZES:
                try:
                    point = measured(world, stops, seeds, repeat)
                except FailedError as why:
                    failed.append(f"{stops} stops, {why}")
                    print(f"no figures: {stops} stops, {why}", file=sys.stderr, flush=True)
                    continue
                point |= {
                    "delay_ms": delay_ms,
                    "mbit": mbit,
                    "busy": busy,
                    "load": os.getloadavg()[0],
                }
                points.append(point)
                print(json.dumps(point), file=sys.stderr, flush=True)
    return points


def measured(world: World, stops: int, seeds: Seeds, repeat: int) -> dict[str, Any]:
    """One point, the three in turn."""
    took: dict[str, list[float]] = {"here": [], "phone": [], "placed": []}
    by: list[str] = []
    for turn in range(repeat):
        order = ["here", "phone", "placed"]
        for what in order[turn % 3 :] + order[: turn % 3]:
            done = asked(world, stops, seeds, None if what == "placed" else what)
            took[what].append(done["took_s"])
            if what == "placed":
                by.append(done["where"])
    means = {f"{what}_s": statistics.fmean(times) for what, times in took.items()}
    best = min(means["here_s"], means["phone_s"])
    return {"stops": stops, **means, "regret": means["placed_s"] / best - 1.0, "where": by}


def cut(world: World, seeds: Seeds, count: int) -> dict[str, Any]:
    """Total time of tasks whose phone was cut off amid them, beside all here: of many such tasks, in turn, and of the same task.

    A processor's speed varies from one second to the next by more than is asked here. What the same task would have taken all
    here in the same second is the CPU that it took here times the median of what all here takes of a second of CPU.
    """
    rng, stops = random.Random(7), 360
    world.relay.link(2.0, 200.0)
    here, of_cpu, cuts, chosen = [], [], [], 0
    for _ in range(count):
        for _ in range(3):
            usual = asked(world, stops, seeds)
        own = asked(world, stops, seeds, "here")
        here.append(own["took_s"])
        of_cpu.append(own["took_s"] / own["cpu_s"])
        world.begin(stops, seeds(), None, 60.0)
        time.sleep(rng.uniform(0.0, 0.8) * min(usual["took_s"], 1.0))
        world.relay.tell("cut phone")
        ended = world.end()
        world.relay.tell("heal phone")
        world.reach()  # also where it failed: the next part needs the phone
        done = answered(ended, "the wire cut amid it")
        cuts.append(done)
        chosen += done["where"] == "phone"
    usual_s, a_cpu_s = statistics.median(here), statistics.median(of_cpu)
    ratios = sorted(done["took_s"] / usual_s for done in cuts)
    same = [d["took_s"] / (d["cpu_s"] * a_cpu_s) for d in cuts if d["by"] == "car"]
    if not same:
        raise FailedError("the phone answered each before its wire was cut; ask for more --cuts")
    return {
        "count": count,
        "phone_chosen": chosen,
        "here_median_s": usual_s,
        "here_worst_of_median": max(here) / usual_s,
        "here_spread": [one / a_cpu_s for one in sorted(of_cpu)],
        "by_car": len(same),
        "same_median": statistics.median(same),
        "same_worst": max(same),
        "median": statistics.median(ratios),
        "worst": ratios[-1],
        "above": sum(ratio > CUT_MAX for ratio in ratios),
        "here_above": sum(took_s / usual_s > CUT_MAX for took_s in here),
    }


def kill(world: World, seeds: Seeds, count: int) -> dict[str, Any]:
    """The phone killed amid a task, `count` times: was the answer there in time, and the same?"""
    rng, stops, same, amid, took = random.Random(9), 200, 0, 0, []
    world.relay.link(2.0, 200.0)
    own_s = statistics.median(asked(world, stops, seeds, "here")["took_s"] for _ in range(5))
    within_s = 3.0 * own_s
    late: list[str] = []
    for number in range(count):
        seed = seeds()
        expected = hashlib.sha256(compute(task_of(stops, seed))).hexdigest()
        world.begin(stops, seed, None, within_s)
        time.sleep(rng.uniform(0.0, 0.15))
        world.phone.process.send_signal(signal.SIGKILL)
        done = world.end()
        took.append(done["took_s"])
        amid += done.get("where") == "phone" and done.get("by") == "car"
        if done["ok"] and done["digest"] == expected and done["took_s"] <= within_s:
            same += 1
        else:
            late.append(f"{number}: {done.get('why') or done.get('took_s')}")
        world.phone.process.communicate()
        world.phone = world.start("phone")
        world.reach()
        while asked(world, stops, seeds)["where"] != "phone" and rng.random() < 0.9:
            pass  # it says its terms again, and may have to be found sooner again
    return {
        "count": count,
        "same_in_time": same,
        "phone_chosen_and_gone": amid,
        "deadline_s": within_s,
        "here_s": own_s,
        "worst_s": max(took),
        "failed": late,
    }


def peer(world: World, seeds: Seeds, repeat: int) -> dict[str, Any]:
    """Plain RPC over TLS, all here and as placed, in turn, where a strong phone is near."""
    world.relay.link(2.0, 200.0)
    cert, key = certificate(world.folder)
    address, script = world.lan.address("phone"), str(HERE / "_offload_peer.py")
    base = world.lan.command("phone", [sys.executable, script, "serve", address, cert, key])
    server = Talking([*world.whole.prefix(), *base], world.folder / "peer.err")
    server.line()
    base = world.lan.command("car", [sys.executable, script, "ask", address, cert])
    client = Talking([*world.slow.prefix(), *base], world.folder / "peer.err")
    client.line()
    rows = []
    try:
        for stops in SIZES:
            took: dict[str, list[float]] = {"here": [], "placed": [], "rpc": []}
            for _ in range(4):
                world.ask(stops, seeds())
            for _ in range(max(5, repeat)):
                took["here"].append(asked(world, stops, seeds, "here")["took_s"])
                took["placed"].append(asked(world, stops, seeds)["took_s"])
                client.say(json.dumps({"stops": stops, "seed": seeds()}))
                took["rpc"].append(json.loads(client.line())["took_s"])
            rows.append(
                {"stops": stops} | {f"{k}_s": statistics.median(v) for k, v in took.items()}
            )
    finally:
        client.close()
        server.kill()
    return {"rows": rows}


def ray_peer(world: World, seeds: Seeds, python: Path) -> dict[str, Any]:
    """The same tasks by an actor of Ray at the phone, its driver and a node of Ray in the car; or why it does not start."""
    program, phone, car = str(python.with_name("ray")), *map(world.lan.address, ("phone", "car"))
    common = ["--disable-usage-stats", "--object-store-memory", "80000000", "--node-ip-address"]
    head = ["--head", "--port", "6399", "--num-cpus", "1", "--resources", '{"phone": 1}']
    head += ["--include-dashboard=false", "--temp-dir", str(world.folder / "ray"), *common, phone]
    other = ["--address", f"{phone}:6399", "--num-cpus", "0", *common, car]
    rows: list[dict[str, Any]] = []
    begun_s = time.monotonic()
    client: Talking | None = None
    try:
        for name, words in (("phone", head), ("car", other)):
            group = world.whole if name == "phone" else world.slow
            start = world.lan.command(name, [program, "start", *words])
            subprocess.run([*group.prefix(), *start], check=True, timeout=120, capture_output=True)
        ask = [str(python), str(HERE / "_offload_ray.py"), f"{phone}:6399"]
        client = Talking(
            [*world.slow.prefix(), *world.lan.command("car", ask)], world.folder / "ray.err"
        )
        client.line()
        up_s = time.monotonic() - begun_s
        for stops in SIZES:
            took = []
            for _ in range(6):
                client.say(json.dumps({"stops": stops, "seed": seeds()}))
                took.append(json.loads(client.line())["took_s"])
            rows.append({"stops": stops, "ray_s": statistics.median(took[1:])})
    except (OSError, subprocess.SubprocessError, RuntimeError) as why:
        return {"why": f"{type(why).__name__}: {why}"[:300]}
    finally:
        if client is not None:
            client.kill()
        for group in (world.slow, world.whole):
            group.kill_but(world.phone.process.pid, world.car.process.pid)
    return {"rows": rows, "up_s": up_s}


def certificate(folder: Path) -> tuple[str, str]:
    """Of its own signing, for the peer's stream."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "peer.pem", folder / "peer.key"
    cert_path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert_path), str(key_path)


def regret(points: Sequence[dict[str, Any]]) -> float:
    """Mean share by which the placement's tasks took longer than the better of the two; where it was sooner counts as none."""
    return statistics.fmean(max(0.0, p["regret"]) for p in points)


def sped_up(points: Sequence[dict[str, Any]]) -> float:
    """Geometric mean of all here's time over the placement's, where the phone is sooner; 1 where it never is."""
    logs = [math.log(p["here_s"] / p["placed_s"]) for p in points if p["phone_s"] < p["here_s"]]
    return math.exp(statistics.fmean(logs)) if logs else 1.0


def rows_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the last line."""
    rows: list[dict[str, Any]] = []

    def row(case: str, metric: str, unit: str, ours: float, peer: str, theirs: float) -> None:
        ratio = ours / theirs if theirs else None
        rows.append(
            {"case": case, "metric": metric, "unit": unit, "ours": ours, "peer": peer}
            | {"theirs": theirs, "ratio": ratio}
        )

    if points := found.get("curve"):
        case, oracle = f"curve, {len(points)} points", "the better of all here and all at the phone"
        row(case, "mean regret", "share", regret(points), oracle, 0.0)
        row(case, "speed where the phone is sooner", "1", sped_up(points), "all here", 1.0)
    if one := found.get("cut"):
        case, own = f"wire cut amid {one['count']} tasks", "all here's own worst"
        row(case, "worst time over all here's", "1", one["worst"], own, one["here_worst_of_median"])
        case = f"the {one['by_car']} of them that the car answered"
        row(case, "worst time", "1", one["same_worst"], "the same task all here", 1.0)
    if one := found.get("kill"):
        case = f"phone killed amid a task, within {one['deadline_s']:.2f} s"
        row(case, "same answer in time", "tasks", one["same_in_time"], "all tasks", one["count"])
    for one in found.get("peer", {}).get("rows", ()):
        case, ours = f"{one['stops']} stops", one["placed_s"]
        row(case, "median time", "s", ours, "all here", one["here_s"])
        row(case, "median time", "s", ours, "plain RPC over TLS", one["rpc_s"])
        for ray in found.get("ray", {}).get("rows", ()):
            if ray["stops"] == one["stops"]:
                row(case, "median time", "s", ours, "Ray", ray["ray_s"])
    return rows


def told_curve(points: Sequence[dict[str, Any]]) -> None:
    """The break-even curve, and the regret."""
    print("break-even: milliseconds all here / at the phone / as placed, by stops of a batch")
    states = sorted({(p["delay_ms"], p["mbit"], p["busy"]) for p in points})
    print(
        f"{'each way':>9} {'Mbit/s':>6} {'phone':>6} "
        + " ".join(f"{n:>16}" for n in SIZES)
        + "  sooner there from"
    )
    for state in states:
        rows = [p for p in points if (p["delay_ms"], p["mbit"], p["busy"]) == state]
        cells = [
            f"{p['here_s'] * 1e3:.0f}/{p['phone_s'] * 1e3:.0f}/{p['placed_s'] * 1e3:.0f}"
            for p in rows
        ]
        from_ = next((str(p["stops"]) for p in rows if p["phone_s"] < p["here_s"]), "never")
        words = "busy" if state[2] else "free"
        print(
            f"{state[0]:6.0f} ms {state[1]:6.0f} {words:>6} "
            + " ".join(f"{c:>16}" for c in cells)
            + f"  {from_}"
        )
    regrets, mean = [p["regret"] for p in points], regret(points)
    print(
        f"regret over {len(points)} points: mean {mean:.1%} (negative ones as 0; plain mean {statistics.fmean(regrets):.1%}), "
        f"median {statistics.median(regrets):.1%}, worst {max(regrets):.1%}; at most {REGRET_MAX:.0%} asked: "
        f"{'met' if mean <= REGRET_MAX else 'MISSED'}"
    )
    best = max(points, key=lambda p: p["here_s"] / p["placed_s"])
    print(
        f"speed-up as placed where the phone is sooner: {sped_up(points):.2f} (geometric mean), best {best['here_s'] / best['placed_s']:.2f}"
    )


def told(found: dict[str, Any]) -> None:
    """For people."""
    if found.get("curve"):
        told_curve(found["curve"])
    if one := found.get("cut"):
        print(
            f"wire cut amid {one['count']} tasks (the phone was chosen in {one['phone_chosen']}): {one['median']:.2f} of all here in the median, "
            f"{one['worst']:.2f} at worst, {one['above']} above {CUT_MAX}; all here itself was up to {one['here_worst_of_median']:.2f} of its own median, {one['here_above']} above {CUT_MAX}"
        )
        print(
            f"  the {one['by_car']} that the car answered, of what the same task takes all here at the time: {one['same_median']:.2f} in the median, "
            f"{one['same_worst']:.2f} at worst; at most {CUT_MAX} asked: {'met' if one['same_worst'] <= CUT_MAX else 'MISSED'} "
            f"(all here by the same reckoning {one['here_spread'][0]:.2f} to {one['here_spread'][-1]:.2f})"
        )
    if one := found.get("kill"):
        print(
            f"phone killed amid a task: the same answer within {one['deadline_s']:.2f} s in {one['same_in_time']} of {one['count']} "
            f"(worst {one['worst_s']:.2f} s; all here takes {one['here_s']:.2f} s; in {one['phone_chosen_and_gone']} the phone had been chosen and the car answered)"
        )
        for words in one["failed"]:
            print(f"  {words}")
    if one := found.get("peer"):
        print(
            "beside plain RPC over a TLS stream (2 ms each way, 200 Mbit/s, phone free), milliseconds, medians:"
        )
        for row in one["rows"]:
            print(
                f"  {row['stops']:5} stops: all here {row['here_s'] * 1e3:7.1f}   as placed {row['placed_s'] * 1e3:7.1f} "
                f"({row['here_s'] / row['placed_s']:.2f} times as fast)   plain RPC {row['rpc_s'] * 1e3:7.1f} ({row['here_s'] / row['rpc_s']:.2f})"
            )
    if one := found.get("ray"):
        if "why" in one:
            print(f"Ray did not start on the two nodes: {one['why']}")
        else:
            rows = ", ".join(f"{r['stops']} stops {r['ray_s'] * 1e3:.1f}" for r in one["rows"])
            print(
                f"Ray, an actor at the phone (up after {one['up_s']:.0f} s), milliseconds, medians: {rows}"
            )
    elif "peer" in found:
        print("Ray was not asked for: --ray PYTHON of an environment that has it")


def main() -> int:
    """Measure and say it; 2 where this machine cannot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--ray", type=Path, help="a Python that has ray and hearthway")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split")
    given = parser.parse_args()
    if unknown := set(given.parts.split(",")) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if why := Lan.why_not():
        print(f"skipped: no network namespaces: {why}")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its control groups go with it
    seeds, begun_s = Seeds(given.seed), time.monotonic()
    found: dict[str, Any] = {"share": given.share, "seed": given.seed, "load": os.getloadavg()[0]}
    failed: list[str] = []
    try:
        with World(given.share) as world:
            shares = world.slow.measured_share(), world.whole.measured_share()
            found["shares"] = shares
            print(
                f"the car gets {shares[0]:.2f} of a core, the phone {shares[1]:.2f}; load {found['load']:.1f} at the start"
            )
            world.relay.link(2.0, 200.0)
            for stops in WARM * 2:
                world.ask(stops, seeds())
            measure(world, seeds, given, found, failed)
    except NoThrottleError as why:
        print(f"skipped: no slower processor on this machine: {why}")
        return 2
    told(found)
    print(f"took {time.monotonic() - begun_s:.0f} s, load {os.getloadavg()[0]:.1f} at the end")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1))
    for words in failed:
        print(f"FAILED: {words}", file=sys.stderr)
    finish("offload", rows_of(found), failed=failed)
    return 1 if failed else 0


def measure(
    world: World,
    seeds: Seeds,
    given: argparse.Namespace,
    found: dict[str, Any],
    failed: list[str],
) -> None:
    """The parts that were asked for, each into `found`; of one whose task failed nothing but why, into `failed`."""
    parts: dict[str, Callable[[], object]] = {
        "curve": lambda: curve(world, seeds, given.repeat, failed),
        "peer": lambda: peer(world, seeds, given.repeat),
        "ray": lambda: ray_peer(world, seeds, given.ray),
        "cut": lambda: cut(world, seeds, given.cuts),
        "kill": lambda: kill(world, seeds, given.kills),
    }
    wanted = given.parts.split(",")
    if "peer" in wanted and given.ray is not None:
        wanted.append("ray")
    for name, part in parts.items():
        if name not in wanted:
            continue
        try:
            found[name] = part()
        except FailedError as why:
            failed.append(f"{name}, {why}")


if __name__ == "__main__":
    started(main)
