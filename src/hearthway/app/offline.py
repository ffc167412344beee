"""Verbs that work on nodes' data directories, whether the nodes run or not: why, answer, verify, forget, export."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from hearthway.context.flat import gap_m
from hearthway.mesh.state.database import FullError
from hearthway.mesh.state.export import write_export
from hearthway.mesh.state.forget import acknowledge, apply, forget, pending
from hearthway.mesh.state.receipts import ReceiptChain, countersigns, verify_chain
from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import signing_key
from hearthway.records.chain import Countersign, VerifyReport
from hearthway.records.errors import HearthwayError, InputError, StoreError
from hearthway.records.forgetting import ForgetReport, PersonScope, PlaceScope, RangeScope, Scope
from hearthway.records.geo import valid_point
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL, LIVED, STAY_RADIUS_M
from hearthway.records.localtime import zone_at
from hearthway.records.messages import AnswerGiven
from hearthway.records.receipts import Receipt
from hearthway.records.suggestion import AnswerKind

from .clock import SystemClock
from .collecting import rules_of
from .config import Config, load_config
from .control import Control, running
from .moments import YEARS, unix_s, written, zone_there
from .owner import stored_owner
from .paths import NodePaths, private_dir
from .witness import RECEIPT_KEY, pinned_witness

_POINT = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*")


@contextmanager
def opened(paths: NodePaths) -> Iterator[tuple[Store, ReceiptChain]]:
    """A node's store and chain; closed afterwards."""
    config = load_config(paths.config)
    with Store.open(paths.database, node_id=config.node.id) as store:
        yield store, ReceiptChain(store, signing_key(paths.keys / RECEIPT_KEY))


def members(found: Sequence[NodePaths]) -> list[NodePaths]:
    """Without venues: they hold nothing about anybody."""
    return [paths for paths in found if load_config(paths.config).node.role is not Role.VENUE]


def stored_receipts(paths: NodePaths, suggestion_id: str) -> list[Receipt]:
    """This node's receipts of a suggestion (its id may be shortened)."""
    if load_config(paths.config).node.role is Role.VENUE:
        return []
    with opened(paths) as (_, chain):
        return [
            receipt
            for _, receipt in chain.receipts()
            if receipt is not None and receipt.suggestion_id.startswith(suggestion_id)
        ]


def verify_node(paths: NodePaths, found: Sequence[NodePaths]) -> VerifyReport:
    """Verify one node's chain with what other nodes here know of it: the pinned witness and its kept heads."""
    config = load_config(paths.config)
    if config.node.role is Role.VENUE:
        return VerifyReport(node=config.node.id, entries=0, receipts=0, erased=0, witnessed_to=0)
    witness, heads = pinned_witness(paths.keys), []
    for other in found:
        settings = load_config(other.config)
        if other.root == paths.root or settings.node.role is Role.VENUE:
            continue
        witness = pinned_witness(other.keys) or witness
        heads += _kept_heads(other, settings, config.node.id)
    alone = witness is None and not (paths.keys / "device.pem").exists()
    with opened(paths) as (store, chain):
        # A node that was never paired has no witness yet: only its own key vouches for its chain.
        node_key = chain.public_key if alone else None
        return verify_chain(store, witness_key=witness, node_key=node_key, witness_heads=heads)


def _kept_heads(other: NodePaths, settings: Config, node: str) -> list[Countersign]:
    try:
        with Store.open(other.database, node_id=settings.node.id) as store:
            return countersigns(store, node)
    except StoreError:
        return []  # that node's own report says what is wrong with it


def answer_offline(
    paths: NodePaths, config: Config, suggestion_id: str, kind: str, osm_id: str
) -> str:
    """Store an answer for a phone that is not running; it learns from it when it starts. The full id."""
    from .answering import answer_of

    with opened(paths) as (store, _):
        suggestion = store.suggestion(suggestion_id)
        given = AnswerGiven(
            suggestion_id=suggestion.suggestion_id,
            kind=AnswerKind(kind),
            time_s=suggestion.time_s if config.replay.clock else SystemClock().now_s(),
            osm_id=osm_id,
        )
        store.add_answer(answer_of(suggestion, given))
        return suggestion.suggestion_id


# forget ---------------------------------------------------------------------------------------------------------


def scope_of(
    found: Sequence[NodePaths], what: str, of: str | None, radius_m: float
) -> tuple[Scope, str]:
    """What the person meant, and in words; InputError lists what could be meant."""
    person_id = None if of is None else _person(found, of)
    if ".." in what:
        return _span(found, what, person_id)
    point = _POINT.fullmatch(what)
    if point:
        lat, lon = float(point[1]), float(point[2])
        if not valid_point(lat, lon):
            raise InputError(f"{what} is not on the earth.", "Write latitude first: 60.17,24.94.")
        return (
            PlaceScope(lat=lat, lon=lon, radius_m=radius_m, person_id=person_id),
            f"everything within {radius_m:.0f} m of {lat}, {lon}",
        )
    for paths in members(found):
        with opened(paths) as (store, _):
            for person in store.persons():
                if what in (person.name, person.person_id) and person.name != person.person_id:
                    return PersonScope(
                        person_id=person.person_id
                    ), f"everything about {person.name}"
    place = _place(found, what, person_id, radius_m)
    if place is not None:
        lat, lon = place
        return (
            PlaceScope(lat=lat, lon=lon, radius_m=radius_m, person_id=person_id),
            f"everything within {radius_m:.0f} m of the place {what}",
        )
    raise InputError(
        f"{what!r} is no person, place or time that is known here.",
        'Write a name, "LAT,LON", a learned place such as home, or "2025-11-01..2025-11-14".',
    )


def _person(found: Sequence[NodePaths], name: str) -> str:
    for paths in members(found):
        with opened(paths) as (store, _):
            for person in store.persons():
                if name in (person.name, person.person_id):
                    return person.person_id
    raise InputError(f"Nobody called {name!r} is known here.", "`hearthway import` adds a person.")


def _place(
    found: Sequence[NodePaths], what: str, person_id: str | None, radius_m: float
) -> tuple[float, float] | None:
    """Where it is; InputError where stays at it lie outside the radius: half of a place would be left."""
    from hearthway.context.life import Life
    from hearthway.context.places import spots_of

    for paths in members(found):
        with opened(paths) as (store, _):
            for person in store.persons():
                model = store.model(person.person_id, LIFE_MODEL)
                if model is None or person_id not in (None, person.person_id):
                    continue
                life = Life.load(model.data)
                for place in life.places():
                    lived = place.label if place.label in LIVED else ""  # many are regular
                    if what and (
                        what in (place.place_id, lived) or what.casefold() == place.name.casefold()
                    ):
                        known = life.known(place.place_id)
                        spots = [] if known is None else spots_of(known)
                        at = place.lat, place.lon
                        reach_m = max((gap_m(*at, s.lat, s.lon) for s in spots), default=0.0)
                        if reach_m > radius_m:
                            raise InputError(
                                f"Stays at {what} lie up to {reach_m:.0f} m from its middle.",
                                f"Say --radius {math.ceil((reach_m + STAY_RADIUS_M) / 100.0) * 100} to forget all of"
                                " it, with what else lies there, or split it first.",
                            )
                        return at
    return None


def _span(found: Sequence[NodePaths], what: str, person_id: str | None) -> tuple[Scope, str]:
    """From the first to the second of "A..B", days included, by the clock of where each person was."""
    since, _, until = (part.strip() for part in what.partition(".."))
    first, end = written(since), written(until, end=True)
    begins, ends = _zones(found, person_id, first), _zones(found, person_id, end)
    scope = RangeScope(
        since_s=min(unix_s(first, zone) for zone in begins),
        until_s=max(unix_s(end, zone, last=True) for zone in ends),
        person_id=person_id,
    )
    if scope.until_s <= scope.since_s:
        raise InputError(f"{what} ends before it begins.", "Write the earlier day first.")
    local = [zones for at, zones in ((first, begins), (end, ends)) if at.tzinfo is None]
    clocks = " and ".join(sorted(set().union(*local)))
    return scope, f"everything from {since} to {until}" + (
        f", by the clock of {clocks}" if clocks else ""
    )


def _zones(found: Sequence[NodePaths], person_id: str | None, at: datetime) -> set[str]:
    """Where it was `at` for whom it is about: by positions then, else by the last ones, else where this machine is."""
    if at.tzinfo is not None or at.year not in YEARS:
        return {"UTC"}
    then: set[str] = set()
    last: set[str] = set()
    for paths in members(found):
        with opened(paths) as (store, _):
            for person in store.persons():
                if person_id not in (None, person.person_id):
                    continue
                if zone := zone_there(store, person.person_id, at):
                    then.add(zone)
                elif fix := store.last_fix(person.person_id):
                    last.add(zone_at(fix.lat, fix.lon))
    if then or last:
        return then or last
    from .granting import local_zone

    return {local_zone()}


def forget_everywhere(found: Sequence[NodePaths], scope: Scope) -> dict[str, ForgetReport]:
    """Forget on the phone, carry its order to every node here, leave it pending for the others. Then `relearn_everywhere`."""
    reports: dict[str, ForgetReport] = {}
    nodes = _phone_first(found)
    now_s = SystemClock().now_s()
    ids = {paths.root: load_config(paths.config).node.id for paths in nodes}
    for index, paths in enumerate(nodes):
        with _with_room(paths), opened(paths) as (store, chain):
            if index == 0:
                reports[ids[paths.root]] = forget(
                    store, chain, scope, now_s, nodes=_others(paths, list(ids.values()))
                )
                orders = [one.order for one in pending(store)]
            else:
                for order in orders:
                    reports[ids[paths.root]] = apply(store, chain, order, now_s)
    _settle(nodes, ids)
    return reports


@contextmanager
def _with_room(paths: NodePaths) -> Iterator[None]:
    """On a full disk: that nothing is gone yet, how much room it takes to delete, and what may go instead."""
    try:
        yield
    except FullError:
        # All that changes is first written beside the file, a crash in between would cost it otherwise.
        need_mb = math.ceil(paths.database.stat().st_size / 1e6) + 1
        raise StoreError(
            f"The disk is full, and nothing is forgotten yet in {paths.database}: that takes up to {need_mb} MB beside it for a moment.",
            f"Free so much on that disk (old backups, downloads, {paths.log}), then run the same `hearthway forget` again.",
        ) from None


def relearn_everywhere(found: Sequence[NodePaths]) -> None:
    """After something was forgotten: every phone here learns again from what remains, and a running one tells the others."""
    for paths in _phone_first(found):
        if load_config(paths.config).node.role is not Role.PHONE:
            continue
        if running(paths.socket):
            with Control(paths.socket, 600.0) as control:
                control.ask("relearn")
        else:
            relearn_stored(paths)


def still_near(found: Sequence[NodePaths], scope: Scope) -> list[str]:
    """Once a place was forgotten and the rest learned again: what is still known near it, a line each.

    No stay is read into the hole; what was seen near by for itself is still there.
    """
    if not isinstance(scope, PlaceScope):
        return []
    from hearthway.context.life import Life

    lines = []
    for paths in members(found):
        with opened(paths) as (store, _):
            for person in store.persons():
                model = store.model(person.person_id, LIFE_MODEL)
                if model is None or scope.person_id not in (None, person.person_id):
                    continue
                for place in Life.load(model.data).places():
                    away_m = gap_m(scope.lat, scope.lon, place.lat, place.lon)
                    if away_m <= scope.radius_m + STAY_RADIUS_M:
                        called = f" ({place.called})" if place.called else ""
                        lines.append(f"{place.place_id}{called}, {away_m:.0f} m from there")
    return lines


def _phone_first(found: Sequence[NodePaths]) -> list[NodePaths]:
    return sorted(
        members(found), key=lambda paths: load_config(paths.config).node.role is not Role.PHONE
    )


def _others(paths: NodePaths, here: list[str]) -> list[str]:
    """Every node that may hold something: those here, and the household's roster."""
    from hearthway.mesh.trust.identity import DeviceIdentity

    try:
        roster = DeviceIdentity.load(paths.keys, SystemClock().now_s()).roster
        known = [member.device_id for member in roster.members]
    except HearthwayError:
        known = []
    return sorted({*here, *known} - {load_config(paths.config).node.id})


def _settle(nodes: Sequence[NodePaths], ids: dict[Path, str]) -> None:
    """The first node learns which of the others have carried its orders out."""
    with opened(nodes[0]) as (store, _):
        for one in pending(store):
            for name in one.nodes:
                if name in ids.values():
                    acknowledge(store, one.order.order_id, name)


def relearn_stored(paths: NodePaths) -> None:
    """Learn the owner's model again from what the store holds, with the node not running."""
    from .equipment import brain_for
    from .maps import open_atlas

    config = load_config(paths.config)
    atlas = open_atlas(config.map)
    try:
        with opened(paths) as (store, _):
            owner = stored_owner(store, paths, config.node.id)
            if owner is not None:
                brain_for(store, owner, config, atlas, rules_of(paths)).rebuild()
    finally:
        if atlas is not None:
            atlas.close()


# export ---------------------------------------------------------------------------------------------------------


def export_everywhere(
    found: Sequence[NodePaths], person: str, target: Path
) -> Iterator[tuple[Path, dict[str, int]]]:
    """Everything held about a person, one JSON file a node; (file, counts) as each is done."""
    person_id = _person(found, person)
    private_dir(target)
    for paths in members(found):
        with opened(paths) as (store, chain):
            if all(known.person_id != person_id for known in store.persons()):
                continue
            file = target / f"{load_config(paths.config).node.id}.json"
            yield file, write_export(store, chain, person_id, file)
