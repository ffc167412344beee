"""Answers about a person's days: who used the location, when to leave, why something was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hearthway.assist.moment import plain, position_age_s
from hearthway.records.ask import ASKED, Meaning
from hearthway.records.receipts import Receipt
from hearthway.sense.catalogue import CAR_POSITION, PHONE_POSITION

from .calendar_answers import entry_time
from .facts import Cited, Facts
from .intents import CALENDAR, RECEIPTS, SUGGESTION, WHERE
from .slots import folded
from .words import Draft, answered, listed, say, unknown

POSITIONS = (CAR_POSITION, PHONE_POSITION)
WHY_LINES = 4
GENERAL = "my next appointment meeting entry event"  # by these words nothing else is asked for than what is next
# period -> its beginning and end in local days before today (both included)
PERIODS = {
    "today": (0, 0),
    "yesterday": (1, 1),
    "week": (6, 0),
    "last-week": (13, 7),
    "month": (30, 0),
}


def location_use(facts: Facts, meaning: Meaning) -> Draft:
    """Every use of a position that this node's receipts tell of, by purpose; who outside could learn of it."""
    cite = Cited(facts)
    period = meaning.slots.get("period", "week")
    first, last = PERIODS.get(period, PERIODS["week"])
    today = facts.day(facts.now_s)
    since_s, until_s = facts.midnight_s(today - first), facts.midnight_s(today - last + 1)
    used = [r for r in facts.receipts if since_s <= r.time_s < until_s and _positions(r)]
    asked = [r for r in used if r.suggestion_id.startswith(ASKED)]
    when = _when(facts, period)

    def count(number: int, what: str) -> str:
        return cite(RECEIPTS, f"{number}", value=float(number), source=what, personal=True)

    if not used:
        none = count(0, "receipts of this phone")
        line = say(
            facts,
            f"Nobody used it {when}, as this phone's receipts tell ({none} of them).",
            f"Niemand hat ihn {when} benutzt, sagen die Belege dieses Telefons ({none}).",
        )
        return answered(cite, line)
    said, own = count(len(used) - len(asked), "suggestions"), count(len(asked), "questions")
    line = say(
        facts,
        f"This phone, {when}: suggestions x{said}, questions x{own}.",
        f"Dieses Telefon, {when}: Vorschläge x{said}, Fragen x{own}.",
    )
    return answered(
        cite, line, *_told(cite, asked), *_crossed(cite, since_s, until_s), _outside(cite, used)
    )


def _positions(receipt: Receipt) -> bool:
    return any(field.key.startswith(POSITIONS) for field in receipt.fields)


def _when(facts: Facts, period: str) -> str:
    names = {
        "today": ("today", "heute"),
        "yesterday": ("yesterday", "gestern"),
        "last-week": ("last week", "letzte Woche"),
        "month": ("in the last month", "im letzten Monat"),
    }
    en, de = names.get(period, ("in the last week", "in der letzten Woche"))
    return say(facts, en, de)


def _crossed(cite: Cited, since_s: float, until_s: float) -> list[str]:
    """How often a position went from node to node, by which rule. A receipt counts since its node's start: so what was
    added since the one before is what counts."""
    ways: Counter[tuple[str, str, str]] = Counter()
    before: dict[tuple[str, str, str], int] = {}
    for receipt in cite.facts.receipts:
        if receipt.suggestion_id.startswith(ASKED):
            continue
        counted = {
            (one.sender, one.receiver_role, one.rule): one.count
            for one in receipt.crossings
            if one.key.startswith(POSITIONS) and one.key.endswith("Latitude")
        }
        for way, count in counted.items():
            known = before.get(way, 0)
            if since_s <= receipt.time_s < until_s:
                ways[way] += count - known if count >= known else count
        before = counted
    lines = []
    for (sender, role, rule), times in sorted(ways.items()):
        number = cite(RECEIPTS, f"{times}", value=float(times), source="receipts", personal=True)
        by = say(cite.facts, f"by rule {rule}", f"nach Regel {rule}")
        refused = say(cite.facts, "refused: no rule", "abgelehnt: keine Regel")
        lines.append(f"{sender} -> {role} x{number}, {by if rule else refused}")
    return lines


def _told(cite: Cited, asked: Iterable[Receipt]) -> list[str]:
    """Who of the household asked for it here, and was told."""
    lines = []
    for who, times in sorted(Counter(t.peer for r in asked for t in r.disclosures).items()):
        cite(RECEIPTS, who, source="receipts", personal=True)
        number = cite(RECEIPTS, f"{times}", value=float(times), source="receipts", personal=True)
        lines.append(
            say(cite.facts, f"{who} asked for it x{number}", f"{who} fragte danach x{number}")
        )
    return lines


def _outside(cite: Cited, used: Iterable[Receipt]) -> str:
    """Whoever is no part of the household and was asked something meanwhile."""
    others = [one for one in used if not one.suggestion_id.startswith(ASKED)]
    peers = sorted({told.peer for receipt in others for told in receipt.disclosures})
    if not peers:
        return say(
            cite.facts,
            "Nobody outside the household was told anything.",
            "Niemand außerhalb des Haushalts hat etwas erfahren.",
        )
    for peer in peers:
        cite(RECEIPTS, peer, source="receipts", personal=True)
    names = listed(cite.facts.language, peers)
    return say(
        cite.facts,
        f"Asked outside the household: {names}; their receipts say what they could learn.",
        f"Außerhalb gefragt: {names}; die Belege sagen, was sie erfahren konnten.",
    )


WHY_NOT = {
    "nothing-planned": (
        "nothing with a time is near in the calendar",
        "im Kalender steht nichts mit Uhrzeit in der Nähe",
    ),
    "place-unknown": ("nobody knows where it is", "niemand weiß, wo das ist"),
    "under-way": ("you are under way already", "du bist schon unterwegs"),
    "there-already": ("you are there already", "du bist schon da"),
    "whereabouts-unknown": ("where you are is unknown", "wo du bist, ist unbekannt"),
    "too-late": ("it is too late for it", "es ist zu spät dafür"),
}


def leave_when(facts: Facts, meaning: Meaning) -> Draft:
    """When to leave for the calendar's next entry, and what the time is made of."""
    cite = Cited(facts)
    found = facts.leaving
    entry = found.entry
    if entry is None or found.leave_by_s is None:
        reason = WHY_NOT.get(found.why_not, ("the way there is unknown", "der Weg ist unbekannt"))
        why = say(facts, *reason)
        if facts.situation is not None:
            cite(
                WHERE,
                "",
                source="own position and calendar",
                age_s=position_age_s(facts.situation),
                personal=True,
            )
        return unknown(cite, f"I cannot say: {why}.", f"Das kann ich nicht sagen: {why}.")
    source = entry.calendar or "calendar file"
    title = plain(entry.title) or say(facts, "the next entry", "den nächsten Termin")
    cite(CALENDAR, title, value=entry.title, source=source, personal=True)
    by = cite(
        CALENDAR,
        facts.clock(found.leave_by_s),
        value=round(found.leave_by_s, 1),
        source="calendar and way",
        personal=True,
    )
    begins = entry_time(cite, entry, source)
    asked, other = meaning.slots.get("entry", ""), ""
    if asked and folded(asked) not in folded(f"{entry.title} {entry.location} {GENERAL}"):
        other = say(
            facts,
            f"I know it for what is next alone, not for “{asked}”. ",
            f"Ich weiß es nur für das Nächste, nicht für „{asked}“. ",
        )
    if found.way_words:
        cite(CALENDAR, found.way_words, source="own trips or map", personal=True)
    return answered(
        cite,
        say(
            facts,
            f"{other}By {by}, for {title} {begins}.",
            f"{other}Um {by}, für {title} {begins}.",
        ),
        found.way_words,
    )


def why(facts: Facts, meaning: Meaning) -> Draft:
    """The first lines of the last suggestion's explanation, as `hearthway why` has them all."""
    cite = Cited(facts)
    said = facts.said
    if said is None:
        return unknown(
            cite, "Nothing was suggested here yet.", "Hier wurde noch nichts vorgeschlagen."
        )
    at = next((n for n, line in enumerate(facts.why) if line.startswith("Useful")), 0)
    shown = facts.why[at : at + WHY_LINES]
    short_id = said.suggestion_id[:12]
    cite(
        SUGGESTION,
        "\n".join((said.headline, *shown, short_id)),
        value=said.suggestion_id,
        source="the suggestion's own reasons",
        age_s=max(0.0, facts.now_s - said.time_s),
        personal=True,
    )
    ago = cite.sources[-1].ago
    head = said.headline + (f" ({ago})" if ago else "")
    more = say(facts, f"All of it: hearthway why {short_id}", f"Alles: hearthway why {short_id}")
    return answered(cite, f"{head}: {shown[0].strip() if shown else ''}", *shown[1:], more)
