"""What makes a step of a training cheap leaves what is learned as it was."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the distill extra is not installed; .ci/run tests with it")

import torch
from torch import Tensor
from torch.nn import functional

from hearthway.distill.language import bert, net, progress, teacher
from hearthway.distill.language.dropout import Dropout
from hearthway.distill.language.settings import NetShape

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "layer_norm_eps": 0,
}
WORDS = ("[PAD]", "[UNK]", bert.CLS, bert.SEP, bert.MASK, "turn", "on", "the", "light", "lamp", "a")


def _drawn(seed: int) -> None:
    torch.manual_seed(seed)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_dropout_loses_its_share_and_leaves_the_mean(share: float) -> None:
    _drawn(1)
    drop = Dropout(share).train()
    x = torch.ones(400, 1000, requires_grad=True)
    y = drop(x)
    lost = float((y.detach() == 0).float().mean())
    assert lost == pytest.approx(share, abs=1 / 256 + 0.002)
    assert float(y.detach().mean()) == pytest.approx(1, abs=0.005)
    assert len(y.unique()) == 2
    by_place = (y == 0).float().mean(0).view(-1, 8)  # each of the eight bytes of a drawn number
    assert by_place.mean(0).sub(share).abs().max() < 0.01
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


def test_dropout_follows_the_seed_and_does_nothing_where_nothing_is_learned() -> None:
    x = torch.randn(7, 13)
    drop = Dropout(0.3).train()
    _drawn(5)
    first, other = drop(x), drop(x)
    _drawn(5)
    assert torch.equal(drop(x), first)
    assert not torch.equal(first, other)
    assert torch.equal(drop.eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)


def test_the_three_beside_each_other_have_the_gradient_that_torch_finds() -> None:
    _drawn(2)
    x = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(net._threes, (x,))
    threes = net._threes(x)
    assert torch.equal(threes[:, 1:, :4], x[:, :-1])
    assert torch.equal(threes[..., 4:8], x)
    assert torch.equal(threes[:, :-1, 8:], x[:, 1:])
    assert not threes[:, 0, :4].any()
    assert not threes[:, -1, 8:].any()


@pytest.mark.parametrize("bits", [8, 4])
def test_the_rows_that_are_read_are_those_of_the_table(bits: int) -> None:
    _drawn(3)
    shape = NetShape(pieces=40, labels=3, width=8, channels=8, convs=1, table_bits=bits)
    one = net.Net(shape)
    one.watch()
    ids = torch.randint(0, 40, (4, 6))
    with torch.no_grad():
        one(ids, torch.full((4,), 6))
    one.go_whole()
    pushed = torch.randn(4, 6, 8)
    assert torch.equal(one._rows(ids), functional.embedding(ids, one.table()))
    found, wanted = (
        torch.autograd.grad((rows * pushed).sum(), one.embedding)[0]
        for rows in (one._rows(ids), functional.embedding(ids, one.table()))
    )
    assert torch.allclose(found, wanted, rtol=1e-4)


def test_what_stands_beside_each_step_is_multiplied_once_a_text() -> None:
    _drawn(4)
    shape = NetShape(pieces=20, labels=3, slots=4, width=8, channels=8, convs=2)
    one = net.Net(shape).eval()
    assert one.tagging is not None
    assert one.slots is not None
    watched: list[Tensor] = []
    one.convs[1].register_forward_hook(lambda *its: watched.append(its[2]))
    ids = torch.randint(0, 20, (3, 6))
    seen = one(ids, torch.tensor([6, 6, 6]))
    first = functional.relu(one.convs[0](net._threes(functional.embedding(ids, one.embedding))))
    x = first + functional.relu(watched[0])
    beside = torch.cat([x, seen.features[:, None].expand(-1, 6, -1)], dim=-1)
    wanted = one.slots(functional.relu(one.tagging(beside)))
    assert torch.allclose(seen.heads[net.SLOTS], wanted, atol=1e-5)


def test_gradients_are_cut_to_a_norm_of_one_and_small_ones_left() -> None:
    large, small = [torch.tensor([3.0, 4.0])], [torch.tensor([0.3, 0.4])]
    progress._clip(large)
    progress._clip(small)
    assert torch.linalg.vector_norm(large[0]) == pytest.approx(1)
    assert torch.equal(small[0], torch.tensor([0.3, 0.4]))


def test_a_training_of_fewer_steps_than_the_mean_waits_for_leaves_what_it_learned() -> None:
    weight = torch.nn.Parameter(torch.tensor([4.0]))
    optimiser = torch.optim.SGD([weight], lr=0.1)
    loop = progress.Loop({"w": weight}, 0.998, optimiser, lambda _: 1.0)
    loop.descend(weight.sum())
    assert loop.learned()["w"].item() == weight.item() != 4.0
    for _ in range(3):
        loop.descend(weight.sum())
    assert loop.learned()["w"].item() != 4.0
    assert loop.learned()["w"].item() == pytest.approx(weight.item(), abs=0.02)


def test_an_encoder_that_sees_all_reads_as_one_with_a_mask() -> None:
    _drawn(6)
    encoder = bert.Encoder(SMALL, len(WORDS)).eval()
    ids = torch.randint(5, len(WORDS), (4, 7))
    longer = torch.cat([ids, torch.zeros(4, 3, dtype=torch.long)], dim=1)
    lengths = torch.full((4,), 7)
    with torch.no_grad():
        states, embedding = encoder(ids, lengths)
        masked, same = encoder(longer, lengths)
    assert torch.allclose(states, masked[:, :7], atol=1e-5)
    assert torch.allclose(embedding, same, atol=1e-5)


def test_the_states_of_words_keep_what_lies_between_them() -> None:
    _drawn(8)
    one = teacher.Teacher(bert.Encoder(SMALL, len(WORDS)), WORDS, ("a", "oos"))
    texts = ["turn on the light", "lamp", "a lamp on", "the light"]
    plain = teacher.told(one, texts)
    assert plain.states is None
    assert plain.starts is None
    said = teacher.told(one, texts, directions=16)
    assert said.starts is not None
    assert said.states is not None
    assert said.starts.tolist() == [0, 4, 5, 8, 10]
    raw = torch.cat(
        [
            one.encoder(torch.tensor([one.marked(one.pieces.ids([text])[0])]), torch.tensor([n]))[
                0
            ].detach()[0, 1:-1]
            for text, n in zip(texts, (6, 3, 5, 4), strict=True)
        ]
    )
    centred = raw - raw.mean(0)
    states = said.states.float()
    assert torch.allclose(states @ states.T, centred @ centred.T, atol=0.05)
    few = teacher.told(one, texts, directions=3).states
    assert few is not None
    assert few.shape == (10, 3)
    assert few.float().var(0).sum() > 0.5 * states.var(0).sum()


def test_tiny_numbers_are_zero_while_it_is_learned_from_and_not_after() -> None:
    tiny = torch.full((64,), 1e-39)
    with progress.tiny_as_zero():
        assert not (tiny * 0.9).any()
    assert (tiny * 0.9).all()
    with pytest.raises(KeyError), progress.tiny_as_zero():
        raise KeyError
    assert (tiny * 0.9).all()
