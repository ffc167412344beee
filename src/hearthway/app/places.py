"""A person's places, and what the owner says of them: names, home and work, what is one place and what is two."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hearthway.context.flat import gap_m
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace, spots_of
from hearthway.context.spots import OWNER_M, OWNER_RATIO, OWNER_STAYS, Pair, total, two_of
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError
from hearthway.records.life import LIVED, PlaceWord, WordKind
from hearthway.records.localtime import utc_offset_s

from .brain import Brain
from .collecting import rules_of
from .config import load_config
from .maps import open_atlas
from .owner import stored_owner
from .paths import NodePaths

NAME_MAX = 40
MERGE_MAX_M = 2_000.0
RESERVED = (*LIVED, "regular")
_LIKE_ID = re.compile(r"p\d+", re.IGNORECASE)
_LIKE_SCOPE = re.compile(r".*\.\..*|\s*-?\d+(\.\d+)?\s*,\s*-?\d+(\.\d+)?\s*")
_LIST = "`hearthway places` lists them."
Request = dict[str, Any]


def act(brain: Brain | None, store: Store, request: Request) -> Request:
    """Do one request of the verb: `what` is list, name, home, work, merge or split. InputError says what does not fit."""
    if brain is None:
        raise InputError(
            "Nobody lives on this phone yet.", "Run `hearthway import FILE --person NAME`."
        )
    _check_person(brain, store, request)
    what = str(request.get("what", "list"))
    if what == "list":
        return {"person": brain.person.name, "places": listed(brain.life)}
    place = place_of(brain.life, str(request.get("id", "")))
    cleared = request.get("clear") is True
    if what == "name":
        text = "" if cleared else name_of(store, brain.life, place, str(request.get("name", "")))
        return _name(brain, place, text)
    if what == "home":
        return _label(brain, place, "home", cleared=cleared)
    if what == "work":
        return _label(brain, place, "work", cleared=cleared)
    if what == "merge":
        return _merge(brain, place, place_of(brain.life, str(request.get("into", ""))))
    if what == "split":
        return _split(brain, place)
    raise InputError(
        f"Nothing is known of {what!r} for places.", "Use list, name, home, work, merge or split."
    )


def act_offline(paths: NodePaths, request: Request) -> Request:
    """The same on a phone that is not running."""
    from .equipment import brain_for

    config = load_config(paths.config)
    atlas = open_atlas(config.map)
    try:
        with Store.open(paths.database, node_id=config.node.id) as store:
            owner = stored_owner(store, paths, config.node.id)
            rules = rules_of(paths)
            brain = None if owner is None else brain_for(store, owner, config, atlas, rules)
            return act(brain, store, request)
    finally:
        if atlas is not None:
            atlas.close()


def listed(life: Life) -> list[Request]:
    """Every place that was stayed at, those with most of the time first."""
    known = [p for p in life.state.places if p.visits]
    here, last = life.state.here, life.state.last
    stayed_s = sum(place.total_s for place in known)
    found = []
    for place in sorted(known, key=lambda p: (-p.total_s, p.index)):
        record = life.place(place.index)
        found.append(
            {
                "id": record.place_id,
                "name": record.name,
                "label": record.label,
                "label_by": "you" if place.given else "habit" if record.label else "",
                "visits": record.visits,
                "last_s": last.time_s if last and place.index == here else record.last_s,
                "share": round(place.total_s / stayed_s, 4) if stayed_s else 0.0,
                "lat": round(record.lat, 5),
                "lon": round(record.lon, 5),
            }
        )
    return found


def place_lines(found: Iterable[Request]) -> list[str]:
    """A table for people; times are local at the place."""
    rows = [("id", "name", "label", "visits", "last visit", "share")]
    for one in found:
        local_s = one["last_s"] + utc_offset_s(one["lat"], one["lon"], one["last_s"])
        label = one["label"] + (" (you)" if one["label_by"] == "you" else "")
        rows.append(
            (
                one["id"],
                one["name"] or "-",
                label or "-",
                str(one["visits"]),
                f"{datetime.fromtimestamp(local_s, UTC):%Y-%m-%d %H:%M}",
                f"{one['share']:.1%}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[5]]) for r in rows]


def place_of(life: Life, what: str) -> KnownPlace:
    """The place of that id, name, or label home or work; InputError where there is none, or it was merged."""
    place = life.known(what)
    if place is not None:
        return place
    for one in life.state.places:
        if one.blank and f"p{one.index}" == what and one.into >= 0:
            raise InputError(
                f"{what} is no place of its own any more: it is a part of p{one.into}.",
                f"Use p{one.into}.",
            )
    said = what.casefold()
    found = [
        p
        for p in life.state.places
        if p.visits
        and said
        and (said == p.name.casefold() or (said in LIVED and said == life.place(p.index).label))
    ]
    if len(found) != 1:
        raise InputError(f"There is no place {what!r}.", _LIST)
    return found[0]


def name_of(store: Store, life: Life, place: KnownPlace, text: str) -> str:
    """A name that may be given; InputError where it is none, or means something else already."""
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise InputError(
            "A name is at least one printable sign.", "To take a name back, say --clear."
        )
    if len(name) > NAME_MAX:
        raise InputError(f"A name has at most {NAME_MAX} signs.", "Choose a shorter one.")
    folded = name.casefold()
    if folded in RESERVED:
        step = f"`hearthway places {folded} p{place.index}` says that it is your {folded}."
        raise InputError(
            f"{name!r} is what a label is called.",
            step if folded in LIVED else "Choose another name.",
        )
    if _LIKE_ID.fullmatch(name) or _LIKE_SCOPE.fullmatch(name):
        raise InputError(
            f"{name!r} reads like an id, a point or a time.", "Choose a name with letters."
        )
    if any(folded == one.name.casefold() for one in store.persons()):
        raise InputError(
            f"{name} is a person here, and `hearthway forget {name}` would mean them.",
            f'Say it differently, as in "{name}\'s flat".',
        )
    taken = [p for p in life.state.places if p.name.casefold() == folded and p is not place]
    if taken:
        raise InputError(
            f"p{taken[0].index} is called {taken[0].name} already.",
            "Choose another name; if the two are one place, merge them.",
        )
    return name


def _check_person(brain: Brain, store: Store, request: Request) -> None:
    wanted = request.get("person")
    if wanted and store.person(str(wanted)).person_id != brain.person.person_id:
        raise InputError(
            f"This phone keeps the places of {brain.person.name}, not those of {wanted}.",
            "Everybody's places are on their own phone.",
        )


def _about(brain: Brain, place: KnownPlace, kinds: Iterable[str]) -> list[PlaceWord]:
    """The words of these kinds by which this place is called what it is, and those said here that no other place bears.

    A word stays with the larger part of a place that is divided, wherever it was said.
    """

    def borne(by: KnownPlace) -> str:
        return by.name if "name" in kinds else by.given

    place_id, known = f"p{place.index}", brain.life.state.places
    others = {borne(one) for one in known if one is not place and one.visits}
    found = []
    for word in brain.said():
        what = word.name if word.kind == "name" else word.kind
        here = brain.life.place_at(word.lat, word.lon) == place_id
        mine = what == borne(place)
        if word.kind in kinds and ((mine and here) if what in others else (mine or here)):
            found.append(word)
    return found


def _word(kind: WordKind, place: KnownPlace, **more: Any) -> PlaceWord:
    return PlaceWord(kind=kind, time_s=0.0, lat=place.lat, lon=place.lon, **more)


def _name(brain: Brain, place: KnownPlace, name: str) -> Request:
    before = _about(brain, place, ("name",))
    borne = [word for word in before if word.name == place.name]
    if not name:
        brain.unsay("name", f"p{place.index}", before)
    elif borne:
        brain.rename(place, borne, name)
    else:
        brain.say(_word("name", place, name=name), before)
    return _told(brain, place)


def _label(brain: Brain, place: KnownPlace, kind: WordKind, *, cleared: bool) -> Request:
    mine = _about(brain, place, LIVED)
    if not cleared and place.given == kind:
        pass  # said already, and since then it holds
    elif not cleared:
        brain.say(_word(kind, place), [*mine, *(w for w in brain.said() if w.kind == kind)])
    elif place.given == kind:
        brain.unsay("label", f"p{place.index}", mine)
    else:
        raise InputError(
            f"You have not said that p{place.index} is {kind}, so there is nothing to take back.",
            f"`hearthway places {kind} ID` says of another place that it is your {kind}.",
        )
    return _told(brain, place)


def _merge(brain: Brain, place: KnownPlace, into: KnownPlace) -> Request:
    if place is into:
        raise InputError(f"p{place.index} is p{into.index} already.", "Name two places.")
    apart_m = gap_m(place.lat, place.lon, into.lat, into.lon)
    if apart_m > MERGE_MAX_M:
        raise InputError(
            f"p{place.index} and p{into.index} are {apart_m / 1000.0:.1f} km apart.",
            f"At most {MERGE_MAX_M / 1000.0:.0f} km can be one place.",
        )
    brain.say(_word("merge", place, to_lat=into.lat, to_lon=into.lon))
    return _told(brain, into)


def _split(brain: Brain, place: KnownPlace) -> Request:
    pair = _two(place)
    if pair is None:
        raise InputError(
            f"The stays at p{place.index} lie in one cluster, so there is nothing to split.",
            f"Two are told apart from {OWNER_STAYS} stays each and {OWNER_M:.0f} m between them.",
        )
    one, other = total(pair.larger), total(pair.smaller)
    brain.say(
        PlaceWord(
            kind="split",
            time_s=0.0,
            lat=one.lat,
            lon=one.lon,
            to_lat=other.lat,
            to_lon=other.lon,
        )
    )
    new = brain.life.place_at(other.lat, other.lon)
    return {**_told(brain, place), "new": new, "apart_m": round(pair.apart_m)}


def _two(place: KnownPlace) -> Pair | None:
    """What the owner merged comes apart again however few stays there are."""
    if place.joined:
        return two_of(spots_of(place), apart_m=OWNER_M, stays=1, ratio=1.0)
    return two_of(spots_of(place), apart_m=OWNER_M, stays=OWNER_STAYS, ratio=OWNER_RATIO)


def _told(brain: Brain, place: KnownPlace) -> Request:
    """The place as it is now: with late positions all is learned anew, and ids may have moved."""
    found = brain.life.known(brain.life.place_at(place.lat, place.lon))
    if found is None:
        raise InputError(f"p{place.index} was forgotten meanwhile.", _LIST)
    record = brain.life.place(found.index)
    return {
        "id": record.place_id,
        "name": record.name,
        "label": record.label,
        "visits": record.visits,
    }
