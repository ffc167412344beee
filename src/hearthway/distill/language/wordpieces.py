"""How texts become pieces while learning: by the tokenizer of the files, over the teacher's vocabulary or a part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hearthway.student.alphabet import text_input
from hearthway.student.tokens import Token, Tokenizer

from .texts import Span, Utterance

UNKNOWN = "[UNK]"
MORE = "##"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
UNLABELLED = -100  # a text or a piece without a label
NOTHING = "O"  # the slot label of what names nothing


class Pieces:
    """Cuts texts over a vocabulary, at most `most` pieces of each."""

    def __init__(self, vocabulary: Sequence[str], most: int) -> None:
        self.vocabulary = tuple(vocabulary)
        self.at = {piece: number for number, piece in enumerate(self.vocabulary)}
        given, blob = text_input(self.vocabulary, unknown=self.at[UNKNOWN], steps_max=most)
        self._tokenizer = Tokenizer(given, blob)

    def tokens(self, text: str) -> list[Token]:
        """Pieces with their spans; at least one."""
        return self._tokenizer.tokens(text)

    def ids(self, texts: Iterable[str]) -> list[list[int]]:
        """The numbers of each text's pieces."""
        return [[token.id for token in self.tokens(text)] for text in texts]


def pruned(teacher: Pieces, texts: Iterable[str], size: int | None) -> list[str]:
    """`size` pieces, or all that the texts have: the unknown, every ASCII letter and digit alone and inside a word, then the commonest.

    A word whose piece was left out is cut into shorter ones, so that nothing in ASCII letters is unknown.
    """
    counts: Counter[int] = Counter()
    for ids in teacher.ids(texts):
        counts.update(ids)
    kept = dict.fromkeys([UNKNOWN, *LETTERS, *(MORE + letter for letter in LETTERS)])
    for number, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if size is not None and len(kept) >= size:
            break
        if not teacher.vocabulary[number].startswith("["):
            kept[teacher.vocabulary[number]] = None
    return list(kept)


def unheard(teacher: Pieces, kept: Iterable[str]) -> list[str]:
    """The teacher's other pieces of ASCII letters, digits and signs, in its order."""
    known = set(kept)
    return [
        piece
        for piece in teacher.vocabulary
        if piece.isascii() and not piece.startswith("[") and piece not in known
    ]


def slot_labels(utterances: Iterable[Utterance]) -> tuple[str, ...]:
    """ "O", then I- of each kind that occurs: words of one kind side by side are one slot.

    Two slots of a kind side by side ("today tomorrow") are 1 in 200 of SLURP's; a B- costs more in all others.
    """
    kinds = sorted({span.kind for one in utterances for span in one.spans})
    return (NOTHING, *(f"I-{kind}" for kind in kinds))


def tagged(tokens: Sequence[Token], spans: Sequence[Span], at: dict[str, int]) -> list[int]:
    """A slot label for each word's first piece, UNLABELLED for what goes on a word or has an unknown kind."""
    found: list[int] = []
    for token in tokens:
        label = at[NOTHING]
        for span in spans:
            if token.start < span.end and token.end > span.start:
                label = at.get(f"I-{span.kind}", UNLABELLED)
        found.append(label if token.first else UNLABELLED)
    return found
