"""Whose phone it is. One person's life is learned and spoken of there, whatever else of others lies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.life import Person

from .clock import SystemClock
from .paths import NodePaths

if TYPE_CHECKING:
    from hearthway.mesh.trust.roster import Roster


def owner_in(store: Store, roster: Roster | None, node_id: str) -> Person | None:
    """Whom the household's list names, else the first who came to live here; None where nobody does."""
    named = listed_in(roster, node_id)
    for person in store.persons() if named else ():
        if person.person_id == named:
            return person
    return store.first_person()


def listed_in(roster: Roster | None, node_id: str) -> str:
    """The id of whom the household's list names; empty where it names nobody, or there is none."""
    member = None if roster is None else roster.member(node_id)
    return "" if member is None else member.person


def stored_owner(store: Store, paths: NodePaths, node_id: str) -> Person | None:
    """As `owner_in`, of a node that may not be running."""
    return owner_in(store, stored_roster(paths), node_id)


def stored_roster(paths: NodePaths) -> Roster | None:
    """The household's list as this node has it; None where it is in no household."""
    from hearthway.mesh.trust.identity import DeviceIdentity  # certificates: most verbs read none

    try:
        return DeviceIdentity.load(paths.keys, SystemClock().now_s()).roster
    except HearthwayError:
        return None


def to_import_for(
    owner: Person | None, name: str, person_id: str | None, listed: str = ""
) -> tuple[str, str | None]:
    """The name, and the id where it is known, under which `name`'s history comes in; InputError for whoever is not the owner.

    The owner may be said by id as well. `listed`: whom the household's list names. Who was forgotten here and comes back is
    still that one there.
    """
    if owner is None or not name.strip():
        return name, person_id or listed or None
    said = " ".join(name.split()).casefold()
    by_id = said == owner.person_id.casefold()
    same = by_id or said == owner.name.casefold()
    if person_id in (None, owner.person_id) and (same or not owner.name):
        return (owner.name if by_id and owner.name else name), owner.person_id
    raise InputError(
        f"This is {owner.name or owner.person_id}'s phone, and a phone learns from one person's life.",
        f"Nothing was taken in. Say --person {owner.name or owner.person_id!r} if that is who it is,"
        f" or import it on {name[:40]}'s own phone: `hearthway up --role phone --name ANOTHER` starts one.",
    )
