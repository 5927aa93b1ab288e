"""The order of an epoch: every sample once, whoever has it, from wherever it goes on."""

from __future__ import annotations

import pytest

from trainer.data.epoch_batches import EpochBatches


def batches_of(count: int, batch_size: int, parts: int = 1, ranks: int = 1, epoch: int = 0, first: int = 0):
    """The batches of an epoch, put together from all ranks' parts: per batch its indices, per part their number."""
    every = []
    for rank in range(ranks):
        batches = EpochBatches(count, batch_size, seed=1, parts=parts, rank=rank, ranks=ranks)
        batches.epoch, batches.first = epoch, first
        keys = list(batches)
        assert len(keys) == len(batches)
        assert {when for part in keys for when, _ in part} == {epoch}
        every.append([[index for _, index in part] for part in keys])
    steps = len(every[0]) // parts
    sizes = [len(part) for ones in every for part in ones]
    return [[i for ones in every for part in ones[s * parts : (s + 1) * parts] for i in part] for s in range(steps)], sizes


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own():
    orders = []
    for epoch in (0, 1):
        batches, _ = batches_of(10, 4, epoch=epoch)
        assert [len(batch) for batch in batches] == [4, 3, 3]  # none has one sample alone, which norms could not learn from
        orders.append([index for batch in batches for index in batch])
        assert sorted(orders[-1]) == list(range(10))
    assert orders[0] != orders[1]


@pytest.mark.parametrize("count, batch_size", [(12, 4), (10, 4), (101, 16), (3, 8)])
@pytest.mark.parametrize("parts, ranks", [(2, 1), (1, 2), (3, 1), (2, 2), (1, 3)])
def test_parts_of_all_processes_are_the_batches_of_one(count, batch_size, parts, ranks):
    whole, _ = batches_of(count, batch_size)
    cut, sizes = batches_of(count, batch_size, parts, ranks)
    assert cut == whole
    batches = EpochBatches(count, batch_size, 1, parts=parts, ranks=ranks)
    assert (batches.smallest, batches.largest) == (min(sizes), max(sizes))
    assert max(sizes) - min(sizes) <= 2


@pytest.mark.parametrize("first", [0, 1, 4, 6])
def test_an_epoch_goes_on_where_it_was_left(first):
    whole, _ = batches_of(50, 8, parts=2, ranks=2, epoch=3)
    assert batches_of(50, 8, parts=2, ranks=2, epoch=3, first=first)[0] == whole[first:]


def test_a_steps_indices_are_those_of_its_parts_in_their_order():
    batches = EpochBatches(23, 8, 5, parts=3, rank=1, ranks=2)
    batches.epoch = 2
    parts = [[index for _, index in part] for part in batches]
    assert [batches.indices(step) for step in range(3)] == [sum(parts[3 * s : 3 * s + 3], []) for s in range(3)]
