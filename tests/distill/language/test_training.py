"""A student is trained as it will run: its whole-number form equals the file's integers, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")

import msgspec
import torch

from hearthway.distill.language import batches, export, learn, progress, rounding, tiny
from hearthway.distill.language.net import INTENT, SLOTS, Net, lengthened
from hearthway.distill.language.settings import NetShape, StudentSettings
from hearthway.distill.language.teacher import Said
from hearthway.distill.language.wordpieces import LETTERS, MORE, UNKNOWN, UNLABELLED, Pieces
from hearthway.student import format as student_format
from hearthway.student import reference
from hearthway.student.header import About, TagsHead

VOCABULARY = [UNKNOWN, *LETTERS, *(MORE + c for c in LETTERS), "turn", "light", "##ing", "the"]
SETTINGS = StudentSettings(epochs=2, int_epochs=2, batch=32, channels=16, width=8)


def _net(seed: int, *, slots: int, convs: int, squeeze: float = 1.0, bits: int = 8) -> Net:
    torch.manual_seed(seed)
    shape = NetShape(
        pieces=len(VOCABULARY),
        labels=7,
        slots=slots,
        width=8,
        channels=16,
        convs=convs,
        table_bits=bits,
    )
    net = Net(shape).eval()
    with torch.no_grad():
        net.embedding.mul_(torch.linspace(0.02, 1, shape.pieces)[:, None])
    net.watch()
    with torch.no_grad():
        net(torch.randint(0, shape.pieces, (16, 12)), torch.randint(1, 13, (16,)))
        net.go_whole()
        net.scales.mul_(squeeze)
    return net


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("slots", [0, 5])
@pytest.mark.parametrize(("convs", "squeeze"), [(1, 1.0), (3, 1.0), (3, 0.3)])
def test_the_trained_form_equals_the_reference_bit_for_bit(
    slots: int, convs: int, squeeze: float, bits: int
) -> None:
    names = ("O", "B-x", "I-x", "B-y", "I-y")[:slots]
    labelling = export.Labelling("tiny", tuple("abcdefg"), 6, 5, names)
    for seed in range(6):
        net = _net(seed, slots=slots, convs=convs, squeeze=squeeze, bits=bits)
        student = student_format.read(
            export.exported(net, VOCABULARY, labelling, About(title="t", licence="none"))
        )
        ids, lengths = torch.randint(0, len(VOCABULARY), (16, 12)), torch.randint(1, 13, (16,))
        with torch.no_grad():
            heads = export.exactly(net)(ids, lengths).heads
        for row, length in enumerate(lengths.tolist()):
            found = reference.run(student, ids[row, :length].numpy().astype(np.int32))
            assert (found[INTENT] == heads[INTENT][row].numpy()).all()
            if slots:
                assert (found[SLOTS] == heads[SLOTS][row, :length].numpy()).all()


def test_what_follows_what_is_exported_in_steps_of_one_gain() -> None:
    names = ("O", "I-x", "B-x")
    natural = np.array([[0.0, -2.0, 0.5], [0.25, 1.0, 0.0], [0.0, 0.1, 0.0]])
    labelling = export.Labelling("tiny", tuple("abcdefg"), 6, 5, names, natural)
    net = _net(1, slots=3, convs=1)
    student = student_format.read(
        export.exported(net, VOCABULARY, labelling, About(title="t", licence="none"))
    )
    head = student.header.heads[1]
    assert isinstance(head, TagsHead)
    assert head.gain
    table = student.tensors["follows"]
    assert 110 < np.abs(table).max() <= 127
    step = head.gain * head.scale
    assert np.abs(table * step - natural).max() <= step / 2


def test_a_table_of_four_bits_is_half_as_long_and_near_what_it_stands_for() -> None:
    labelling = export.Labelling("tiny", tuple("abcdefg"), 6, 5)
    tables = {}
    for bits in (8, 4):
        net = _net(1, slots=0, convs=1, bits=bits)
        data = export.exported(net, VOCABULARY, labelling, About(title="t", licence="none"))
        tables[bits] = student_format.read(data).tensors["table"]
    assert tables[4].nbytes * 2 == tables[8].nbytes
    assert net.gains is not None
    assert net.gains.min() >= 1
    assert len(net.gains.unique()) > 8  # rows of many sizes have gains of many sizes
    assert net.gains.max() <= 16
    off = (net.table() * net.embedding_scale - net.embedding).detach()
    plain = rounding.rounded(net.embedding, net.embedding.abs().amax() / 7, most=7).detach()
    one_gain = (plain * (net.embedding.abs().amax() / 7) - net.embedding).detach()
    assert off.square().mean() < one_gain.square().mean() / 2


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_pieces_that_no_text_has_change_nothing_for_the_others(bits: int) -> None:
    net = _net(1, slots=5, convs=2, bits=bits)
    more = ["fjord", "##saurus"]
    rows = net.embedding.detach()[-2:].flip(0) * 1.01
    longer = lengthened(net, rows)
    ids, lengths = torch.randint(0, len(VOCABULARY), (16, 12)), torch.randint(1, 13, (16,))
    with torch.no_grad():
        before, after = (export.exactly(one)(ids, lengths).heads for one in (net, longer))
    assert all(torch.equal(before[head], after[head]) for head in (INTENT, SLOTS))
    off = (longer.table()[-2:] * longer.embedding_scale - rows).detach().abs().max()
    assert off < float(rows.abs().max()) / (100 if bits == 8 else 6)
    names = ("O", "B-x", "I-x", "B-y", "I-y")
    labelling = export.Labelling("tiny", tuple("abcdefg"), 6, 5, names)
    about = About(title="t", licence="none")
    student = student_format.read(export.exported(longer, [*VOCABULARY, *more], labelling, about))
    last = np.array([len(VOCABULARY), 3, len(VOCABULARY) + 1], np.int32)
    with torch.no_grad():
        heads = export.exactly(longer)(torch.from_numpy(last)[None].long(), torch.tensor([3])).heads
    assert (reference.run(student, last)[SLOTS] == heads[SLOTS][0].numpy()).all()


def test_what_has_eight_bits_has_no_nibbles() -> None:
    with pytest.raises(ValueError, match="8 bits"):
        _net(1, slots=0, convs=1).nibbles()


def test_padding_changes_nothing() -> None:
    net = _net(1, slots=5, convs=3)
    ids = torch.randint(0, len(VOCABULARY), (1, 9))
    longer = torch.cat([ids, torch.full((1, 6), 3)], dim=1)
    with torch.no_grad():
        alone = export.exactly(net)(ids, torch.tensor([9])).heads
        padded = export.exactly(net)(longer, torch.tensor([9])).heads
    assert torch.equal(alone[INTENT], padded[INTENT])
    assert torch.equal(alone[SLOTS], padded[SLOTS][:, :9])


def test_only_whole_numbers_are_exported() -> None:
    with pytest.raises(ValueError, match="whole-number"):
        export.exactly(Net(NetShape(pieces=8, labels=2)))
    with pytest.raises(ValueError, match="watched"):
        Net(NetShape(pieces=8, labels=2)).go_whole()


def test_half_goes_up_and_the_gradient_ends_at_the_clamp() -> None:
    sums = torch.tensor([1.0, 3.0, -1.0, -3.0, 900.0, -900.0], requires_grad=True)
    y = rounding.requantised(sums, torch.tensor(0.5), low=-128)
    assert y.tolist() == [1, 2, 0, -1, 127, -128]
    y.sum().backward()
    assert sums.grad is not None
    assert sums.grad.tolist() == [0.5, 0.5, 0.5, 0.5, 0.0, 0.0]


def test_the_soft_loss_is_zero_for_the_same_word_and_grows_with_another() -> None:
    taught = torch.tensor([[2.0, 0.0, -1.0]])
    assert float(learn.soft_loss(taught + 5, taught, 1.5)) == pytest.approx(0, abs=1e-6)
    near, far = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[-2.0, 0.0, 1.0]])
    assert 0 < learn.soft_loss(near, taught, 1.5) < learn.soft_loss(far, taught, 1.5)
    p, q = (taught / 1.5).softmax(-1), (near / 1.5).softmax(-1)
    by_hand = float((p * (p / q).log()).sum()) * 1.5**2
    assert float(learn.soft_loss(near, taught, 1.5)) == pytest.approx(by_hand, rel=1e-5)


def test_the_cosine_loss_knows_direction_alone() -> None:
    x = torch.tensor([[1.0, 2.0]])
    assert float(learn.cosine_loss(3 * x, x)) == pytest.approx(0, abs=1e-6)
    assert float(learn.cosine_loss(-x, x)) == pytest.approx(2)


def test_an_epoch_sees_every_text_once_in_the_order_of_its_seed() -> None:
    lists = [[1] * (1 + n % 5) for n in range(100)]
    first = [b.rows.tolist() for b in batches.shuffled(lists, 8, progress.seeded(1, 0))]
    assert sorted(row for rows in first for row in rows) == list(range(100))
    assert len(first) == batches.steps(100, 8)
    assert first == [b.rows.tolist() for b in batches.shuffled(lists, 8, progress.seeded(1, 0))]
    assert first != [b.rows.tolist() for b in batches.shuffled(lists, 8, progress.seeded(1, 1))]


def test_masked_pieces_stand_between_the_marks_and_follow_the_seed() -> None:
    lists = [[1, *[2] * (3 + n % 40), 3] for n in range(64)]
    (whole,) = batches.in_order(lists, 64)
    found = batches.masked(whole, 0.25, 9, progress.seeded(1, 0))
    lost = found.ids == 9
    assert 0.2 < float(lost.sum() / (whole.ids == 2).sum()) < 0.3
    assert (whole.ids[lost] == 2).all()
    assert (found.ids[~lost] == whole.ids[~lost]).all()
    assert (batches.masked(whole, 0.25, 9, progress.seeded(1, 0)).ids == found.ids).all()
    assert (batches.masked(whole, 0.0, 9, progress.seeded(1, 0)).ids == whole.ids).all()


def _lesson(*, states: bool = False) -> learn.Lesson:
    corpus = tiny.corpus()
    draw = torch.Generator().manual_seed(7)
    pieces = Pieces(VOCABULARY, 64)
    texts = corpus.pool[:96]
    said = Said(torch.randn(96, 7, generator=draw), torch.randn(96, 12, generator=draw))
    if states:
        firsts = [[one.id for one in pieces.tokens(text.text) if one.first] for text in texts]
        starts = torch.tensor([0, *map(len, firsts)]).cumsum(0)
        of_piece = torch.randn(len(VOCABULARY), 5, generator=draw)
        told = of_piece[[piece for its in firsts for piece in its]].half()
        said = said._replace(starts=starts, states=told)
    return learn.lesson(pieces, texts, corpus.labels, corpus.slots, said)


def _trained(lesson: learn.Lesson, work: Path, settings: StudentSettings = SETTINGS) -> bytes:
    corpus = tiny.corpus()
    shape = NetShape(
        pieces=len(VOCABULARY), labels=7, slots=len(corpus.slots), width=8, channels=16
    )
    net, _ = learn.train_student(lesson, shape, settings, work, lambda _: None)
    labelling = export.Labelling("tiny", corpus.labels, 6, 0, corpus.slots)
    return export.exported(net, VOCABULARY, labelling, About(title="t", licence="none"))


def test_the_states_of_words_are_learned_from() -> None:
    lesson = _lesson(states=True)
    losses = {}
    for weight in (0.0, 4.0):
        torch.manual_seed(1)
        shape = NetShape(
            pieces=len(VOCABULARY), labels=7, slots=len(tiny.corpus().slots), width=8, channels=16
        )
        settings = msgspec.structs.replace(SETTINGS, states=weight, epochs=30, dropout=0.0)
        loop = learn._Loop(Net(shape), lesson, settings, 30, whole=False)
        for epoch in range(30):
            loop.epoch(epoch)
        (batch,) = batches.in_order(lesson.ids, 96)
        seen = loop.net.eval()(batch.ids, batch.lengths)
        assert lesson.said is not None
        assert lesson.said.states is not None
        rows = zip(batch.rows.tolist(), seen.steps.detach(), strict=True)
        of = {row: steps[lesson.words[row]] for row, steps in rows}
        steps = torch.cat([of[row] for row in range(96)])
        steps = torch.cat([steps, torch.ones(len(steps), 1)], dim=1)
        wanted = lesson.said.states.float()
        best = steps @ torch.linalg.lstsq(steps, wanted, driver="gelsd").solution
        losses[weight] = float((best - wanted).square().mean())
    assert losses[4.0] < 0.7 * losses[0.0]


@pytest.mark.parametrize("after", [1, 3, 4, 5])
@pytest.mark.parametrize("states", [False, True])
def test_a_training_that_was_cut_ends_at_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, states: bool
) -> None:
    lesson = _lesson(states=states)
    settings = msgspec.structs.replace(SETTINGS, states=1.0 if states else 0.0)
    wanted = _trained(lesson, tmp_path / "whole", settings)
    saved, count = progress.save, 0

    def cut(path: Path, state: dict[str, Any]) -> None:
        nonlocal count
        saved(path, state)
        count += 1
        if count == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            _trained(lesson, tmp_path / "cut", settings)
    assert _trained(lesson, tmp_path / "cut", settings) == wanted


def test_a_text_without_a_label_teaches_by_the_teachers_word_alone() -> None:
    corpus = tiny.corpus()
    lesson = learn.lesson(
        Pieces(VOCABULARY, 64), corpus.unlabelled[:4], corpus.labels, corpus.slots
    )
    assert lesson.labels.tolist() == [UNLABELLED] * 4
    assert lesson.tags is not None
    assert {label for row in lesson.tags for label in row} == {UNLABELLED}
