"""Whose phone it is. One person's life is learned and spoken of there, whatever else of others lies on it."""

from __future__ import annotations

from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.life import Person

from .clock import SystemClock
from .paths import NodePaths


def owner_in(store: Store, roster: Roster | None, node_id: str) -> Person | None:
    """Whom the household's list names, else the first who came to live here; None where nobody does."""
    named = None if roster is None else roster.member(node_id)
    if named is not None and named.person:
        for person in store.persons():
            if person.person_id == named.person:
                return person
    return store.first_person()


def stored_owner(store: Store, paths: NodePaths, node_id: str) -> Person | None:
    """As `owner_in`, of a node that may not be running."""
    try:
        roster = DeviceIdentity.load(paths.keys, SystemClock().now_s()).roster
    except HearthwayError:  # it is in no household
        roster = None
    return owner_in(store, roster, node_id)


def to_import_for(owner: Person | None, name: str, person_id: str | None) -> str | None:
    """The id under which `name`'s history comes in, where it is known; InputError where that is not the phone's owner."""
    if owner is None or not name.strip():
        return person_id
    same_name = " ".join(name.split()).casefold() == owner.name.casefold()
    if person_id in (None, owner.person_id) and (same_name or not owner.name):
        return owner.person_id
    raise InputError(
        f"This is {owner.name or owner.person_id}'s phone, and a phone learns from one person's life.",
        f"Nothing was taken in. Say --person {owner.name or owner.person_id!r} if that is who it is,"
        f" or import it on {name[:40]}'s own phone: `hearthway up --role phone --name ANOTHER` starts one.",
    )
