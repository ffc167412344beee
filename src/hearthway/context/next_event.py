"""What happens next at home: views on the past, joined by weights that follow what each foretold.

The views (`next_views`) are joined log-linearly; the weight of a view, one for each amount of evidence it may rest on, follows the
gradient of the log-probability of what really came (the logistic mixing of PAQ, Mahoney 2005, for many symbols). There
is no training pass, and nothing is known beforehand but equal weights.
"""

from __future__ import annotations

from math import exp, isfinite, log

from hearthway.records.errors import InputError

from .happenings import Candidate, Happening, Heard, HomeState, Reason
from .next_views import DAY_S, NEW, RECENT, SLOT_S, View, contexts, count, pause_class, views

MAX_THINGS = 500  # the one not heard of for longest is forgotten for a new one
MAX_ROWS = 10_000  # a quarter is forgotten when there are more, those that stood longest unheard
EVIDENCE = (0.5, 2.0, 6.0, 20.0)  # events; between them a view has a weight of its own
WEIGHT = 0.2
WEIGHT_LATELY = 0.05  # it says what may come at all, less what comes next
RATE = 0.005  # of learning, at the first event
RATE_LATER = 0.001  # what it comes down to
RATE_EVENTS = 300  # events after which half of the difference is gone
MAX_STEP = 5.0  # no single surprise moves a weight further than this times the rate
FLOOR = 1e-6
WORDS = 200  # characters of a name


class NextEvent:
    """Predicts the next event of one home from those before; pure, a fold over `observe`."""

    def __init__(self, state: HomeState | None = None) -> None:
        self.state = HomeState() if state is None else state
        self._symbols = {heard.what: i + 1 for i, heard in enumerate(self.state.things)}
        self._now: tuple[dict[str, View], list[float]] | None = None

    def observe(self, event: Happening) -> None:
        """Learns from one event, no older than the one before it; InputError where it is not usable."""
        self._check(event)
        state = self.state
        symbol = self._symbols.get(event.what, NEW)
        self._learn(symbol)
        for keys in contexts(state).values():
            for key, weight in keys:
                if weight == 1.0:
                    count(state, key, symbol, event.time_s)
        self._hear(event)
        if len(state.rows) > MAX_ROWS:
            oldest = sorted(state.rows, key=lambda key: state.rows[key].at_s)
            for key in oldest[: MAX_ROWS // 4]:
                del state.rows[key]
        self._now = None

    def ranked(self, count: int = 5) -> tuple[Candidate, ...]:
        """What may follow the last event, the likeliest first, each with its reasons."""
        seen, shares = self._mixed()
        order = sorted(range(len(shares)), key=lambda symbol: (-shares[symbol], symbol))
        means = {name: _mean(shares, _logs(view)) for name, view in seen.items()}
        return tuple(self._candidate(symbol, seen, shares, means) for symbol in order[:count])

    def shares(self) -> dict[str, float]:
        """The probability of each thing being next, "" for something new; they add up to 1."""
        shares = self._mixed()[1]
        return {what: shares[symbol] for what, symbol in [("", NEW), *self._symbols.items()]}

    def _candidate(
        self, symbol: int, seen: dict[str, View], shares: list[float], means: dict[str, float]
    ) -> Candidate:
        reasons = [
            Reason(
                view=name,
                gain=self._weight(name, view)
                * (log(max(view.shares[symbol], FLOOR)) - means[name]),
                seen=view.seen.get(symbol, 0.0),
                of=view.of,
            )
            for name, view in seen.items()
        ]
        reasons.sort(key=lambda reason: -reason.gain)
        if symbol == NEW:
            return Candidate("", shares[symbol], tuple(reasons))
        heard = self.state.things[symbol - 1]
        return Candidate(heard.what, shares[symbol], tuple(reasons), heard.at_s, heard.source)

    def _mixed(self) -> tuple[dict[str, View], list[float]]:
        if self._now is None:
            seen = views(self.state, contexts(self.state))
            odds = [0.0] * (len(self.state.things) + 1)
            odds[NEW] = self.state.new_bias
            for name, view in seen.items():
                weight = self._weight(name, view)
                for symbol, each in enumerate(_logs(view)):
                    odds[symbol] += weight * each
            top = max(odds)
            parts = [exp(each - top) for each in odds]
            whole = sum(parts)
            self._now = seen, [part / whole for part in parts]
        return self._now

    def _weight(self, name: str, view: View) -> float:
        weights = self.state.weights.get(name)
        if weights is None:
            return WEIGHT_LATELY if name == "lately" else WEIGHT
        return weights[_evidence(view)]

    def _learn(self, symbol: int) -> None:
        state = self.state
        seen, shares = self._mixed()
        state.events += 1
        rate = RATE_LATER + RATE / (1.0 + state.events / RATE_EVENTS)
        for name, view in seen.items():
            logs = _logs(view)
            slope = logs[symbol] - _mean(shares, logs)
            start = [WEIGHT_LATELY if name == "lately" else WEIGHT] * (len(EVIDENCE) + 1)
            weights = state.weights.setdefault(name, start)
            weights[_evidence(view)] += rate * max(-MAX_STEP, min(MAX_STEP, slope))
        state.new_bias += rate * MAX_STEP * ((symbol == NEW) - shares[NEW])

    def _hear(self, event: Happening) -> None:
        state = self.state
        symbol = self._symbols.get(event.what)
        if symbol is None:
            symbol = self._symbol_for(event.what)
        state.things[symbol - 1] = Heard(event.what, event.time_s, event.source)
        before_s = event.time_s if state.last_s is None else state.last_s
        state.pause = pause_class(event.time_s - before_s)
        state.slot = int(event.local_s // SLOT_S)
        state.who = event.who
        state.last_s = event.time_s
        state.last = [symbol, *state.last][:3]
        state.recent = [*state.recent, (symbol, event.time_s)][-RECENT:]

    def _symbol_for(self, what: str) -> int:
        things = self.state.things
        if len(things) < MAX_THINGS:
            things.append(Heard(what, 0.0, ""))
            symbol = len(things)
        else:
            symbol = 1 + min(range(len(things)), key=lambda i: things[i].at_s)
            del self._symbols[things[symbol - 1].what]
            self._forget(symbol)
        self._symbols[what] = symbol
        return symbol

    def _forget(self, symbol: int) -> None:
        state = self.state
        word = str(symbol)
        for key in [key for key in state.rows if word in key.partition("/")[0].split()[1:]]:
            del state.rows[key]
        for row in state.rows.values():
            row.counts.pop(symbol, None)
            row.total = sum(row.counts.values())
        state.recent = [pair for pair in state.recent if pair[0] != symbol]
        state.last = [NEW if each == symbol else each for each in state.last]

    def _check(self, event: Happening) -> None:
        if not event.what or max(len(event.what), len(event.who), len(event.source)) > WORDS:
            raise InputError(
                "An event at home has no name, or one that is too long.",
                f"Name the thing that changed, in at most {WORDS} characters.",
            )
        if not isfinite(event.time_s) or not 0.0 <= event.local_s < DAY_S:
            raise InputError(
                f"The event {event.what!r} has no usable time.",
                "Give Unix seconds, and the second of the local day below 86400.",
            )
        if self.state.last_s is not None and event.time_s < self.state.last_s:
            raise InputError(
                f"The event {event.what!r} is older than the one before it.",
                "Give events in the order of their time.",
            )


def _evidence(view: View) -> int:
    return sum(view.of >= least for least in EVIDENCE)


def _logs(view: View) -> list[float]:
    return [log(max(share, FLOOR)) for share in view.shares]


def _mean(shares: list[float], logs: list[float]) -> float:
    return sum(share * each for share, each in zip(shares, logs, strict=True))
