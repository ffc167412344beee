"""Each setting of the dial, from the days it is replayed on and from the words that were answered."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hearthway.assist import gate
from hearthway.assist.explain import said_at
from hearthway.assist.memory import Memory
from hearthway.assist.settings import DECIDING_MIN, LEAST_P, Dial, GateSettings
from hearthway.learn.bootstrap import mean_interval, share_interval
from hearthway.learn.dials import DialReplayed, from_log, speaks
from hearthway.learn.foreseen import AtFraction, CalibrationBin, Error, Foreseen
from hearthway.learn.report import (
    DEFINITIONS,
    BacktestReport,
    Measured,
    PersonReport,
    report_lines,
)
from hearthway.learn.report_page import report_page
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Suggestion

NOW = 1_750_000_000.0


def word(number: int, p: float, dial: Dial = Dial.NORMAL, **changes: Any) -> Suggestion:
    """A word as the gate weighs it, standing still in the afternoon."""
    situation = Situation(
        time_s=NOW + number * 86_400.0,
        utc_offset_s=0,
        person="anna",
        mode="driving",
        lat=60.1,
        lon=24.9,
        speed_mps=changes.pop("speed_mps", 8.0),
    )
    verdict = gate.weigh(
        situation,
        Memory(person="anna"),
        GateSettings(dial=dial),
        p=p,
        lead_s=120.0,
        option_utility=-2.0,
    )
    return Suggestion(
        suggestion_id=f"s{number}",
        need="dinner",
        person="anna",
        time_s=situation.time_s,
        utc_offset_s=0,
        headline="",
        lines=(),
        options=(),
        reasons=verdict.reasons,
        p_useful=p,
        utility=verdict.utility,
        threshold=verdict.threshold,
        propensity=1.0,
        situation=situation,
        **changes,
    )


def answer(number: int, kind: AnswerKind, later_s: float = 60.0) -> Answer:
    return Answer(
        suggestion_id=f"s{number}", person="anna", kind=kind, time_s=NOW + number * 86_400 + later_s
    )


@pytest.mark.parametrize("p", [0.2, 0.45, 0.5, 0.6, 0.7, 0.95, 1.0])
@pytest.mark.parametrize("made", list(Dial))
def test_another_setting_is_weighed_as_the_gate_itself_would(p: float, made: Dial) -> None:
    for dial in Dial:
        by_gate = word(1, p, dial)
        worth_it = by_gate.utility >= by_gate.threshold and p >= LEAST_P[dial]
        assert speaks(word(1, p, made), dial) is worth_it
    assert said_at(word(1, p, made)) is (made if p < 1.0 else None)


def test_a_word_without_its_cost_is_not_judged() -> None:
    bare = msgspec.structs.replace(word(1, 0.7), reasons=())
    assert speaks(bare, Dial.QUIET) is None
    assert from_log([bare], [answer(1, AnswerKind.ACCEPT)], dial=Dial.NORMAL) == ()


def test_the_log_tells_of_words_that_were_answered_only() -> None:
    said = [word(n, p) for n, p in enumerate((0.62, 0.66, 0.9, 0.95, 0.97))]
    answers = [
        answer(0, AnswerKind.DISMISS),
        answer(1, AnswerKind.IGNORED),
        answer(2, AnswerKind.ACCEPT),
        answer(2, AnswerKind.IGNORED, 5400.0),  # takes no answer back
        answer(3, AnswerKind.IGNORED, 60.0),
        answer(3, AnswerKind.ACCEPT, 9000.0),
        answer(9, AnswerKind.ACCEPT),  # of a word that was forgotten
    ]
    quiet, normal, eager = from_log(said, answers, dial=Dial.NORMAL)
    assert [one.answered for one in (quiet, normal, eager)] == [4, 4, 4]
    assert [one.kept for one in (quiet, normal, eager)] == [2, 4, 4]
    assert quiet.welcome is not None
    assert normal.welcome is not None
    assert (quiet.welcome.mean, normal.welcome.mean) == (1.0, 0.5)
    # two yes of 25 minutes and an option of -2, two no of 20, over four answered words
    yes = DECIDING_MIN - 2.0
    assert normal.worth_min == pytest.approx((2 * yes - 2 * 20.0) / 4)
    assert quiet.worth_min == pytest.approx(2 * yes / 4)
    assert [one.more for one in (quiet, normal, eager)] == [False, False, True]
    assert from_log(said, [], dial=Dial.NORMAL) == ()


def test_what_quiet_kept_is_all_that_a_quiet_log_can_tell() -> None:
    said = [word(n, 0.95, Dial.QUIET) for n in range(3)]
    told = from_log(said, [answer(n, AnswerKind.ACCEPT) for n in range(3)], dial=Dial.QUIET)
    assert [one.more for one in told] == [False, True, True]
    assert [one.kept for one in told] == [3, 3, 3]


# shown ----------------------------------------------------------------------------------------------------------


def replayed(dial: str, spoken: int, right: int) -> DialReplayed:
    return DialReplayed(
        dial=dial,
        spoken=spoken,
        spoken_a_day=round(spoken / 40, 4),
        rightly=share_interval(right, spoken),
    )


HALF = mean_interval([1.0, 0.0], seed=0)
NEAR = Error(median_m=90.0, mean_m=200.0)
FRACTION = AtFraction(
    percent=50,
    hit_rate=HALF,
    hit_rate_known=HALF,
    halves=(HALF, HALF),
    already_there=0.1,
    error=NEAR,
    baselines={"last place": HALF},
    baseline_errors={"last place": NEAR},
    best_baseline="last place",
    gain=HALF,
    gain_from_start=HALF,
    mean_log_loss=0.5,
    ece=0.05,
    mean_confidence=0.75,
    calibration=(CalibrationBin(low=0.7, high=0.8, n=70, confidence=0.75, hit_rate=0.7),),
)
SEVENTY = Foreseen(trips=70, visited_before=HALF, fractions=(FRACTION,))
NONE = Foreseen(trips=0, visited_before=None, fractions=())


def report(name: str = "anna", **changes: Any) -> BacktestReport:
    facts: dict[str, Any] = {
        "person": name,
        "fixes": 9,
        "days": 40,
        "stays": 80,
        "places": 4,
        "trips": 70,
        "trips_unrecorded": 0,
        "trips_with_hole": 0,
        "unseen": 0,
        "legs": SEVENTY,
        "whole": NONE,
        "spoken": 8,
        "spoken_a_day": 0.2,
        "rightly": mean_interval([1.0, 0.0], seed=0),
        "dials": (replayed("quiet", 0, 0), replayed("normal", 8, 6), replayed("eager", 20, 9)),
    }
    person = PersonReport(**{**facts, **changes})
    return BacktestReport(
        people=(person,),
        seed=0,
        read="9 of 9 points read",
        source="<b>x</b>.csv",
        definitions=DEFINITIONS,
        measured=Measured(cpu_s=0.1),
    )


@pytest.mark.parametrize("trips", [70, 0])
def test_the_table_is_shown(trips: int) -> None:
    said = [word(n, p) for n, p in enumerate((0.6, 0.95))]
    log = from_log(said, [answer(n, AnswerKind.ACCEPT) for n in range(2)], dial=Dial.NORMAL)
    text = "\n".join(report_lines(report(trips=trips, log=log)))
    assert "quiet            0.00      0   nothing was said" in text
    assert "eager            0.50     20   0.450 [" in text
    assert "of 2 words said and answered here (an unwanted one at the price of normal)" in text
    assert text.count("and others: unknown") == 1
    without = "\n".join(report_lines(report(trips=trips, dials=())))
    assert "dial  " not in without
    assert "answered here" not in without


def test_the_page_loads_nothing_and_takes_names_as_words() -> None:
    page = report_page(report('<img src="https://elsewhere.example/x">"'))
    assert "<img" not in page
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;.csv" in page
    assert page.count("https:") == page.count("https://elsewhere.example/x&quot;&gt;")
    for loads in ("<script", "<link", "@import", "url(", " src=", " href="):
        assert loads not in page.replace("&lt;img src=", "")
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page


def test_the_page_draws_what_there_is() -> None:
    drawn = report_page(report())
    assert drawn.count("<svg") == 3
    assert "eager, 0.50 times a day, rightly: 0.450 [" in drawn
    assert ">quiet</text>" not in drawn, "it said nothing: it has no share"
    assert ">normal</text>" in drawn
    assert report_page(report(dials=())).count("<svg") == 2
    assert report_page(report(dials=(replayed("quiet", 0, 0),))).count("<svg") == 2
    assert report_page(report(dials=(), legs=NONE, trips=0)).count("<svg") == 0
    once = mean_interval([1.0], seed=0)
    rare = DialReplayed(dial="quiet", spoken=1, spoken_a_day=0.0, rightly=once)
    assert report_page(report(dials=(rare,))).count(">quiet</text>") == 1


def test_what_the_trips_went_by_is_told_most_usual_first() -> None:
    by_mode = {"car": 12, "foot": 3, "transit": 12, "bicycle": 0, "unknown": 2}
    lines = report_lines(report(by_mode=by_mode))
    said = "  from stay to stay: 12 by car, 12 by bus or train, 3 on foot, 2 nobody can tell"
    assert said in lines
    assert not any("from stay to stay: " in line for line in report_lines(report()))
