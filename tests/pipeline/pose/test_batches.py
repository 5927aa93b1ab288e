"""Batches that shrink: nothing lost, nothing done twice, the halvings counted."""

from __future__ import annotations

import pytest
import torch

from pipeline.errors import DataError
from pipeline.pose.batches import ShrinkingBatches


def holding(most: int):
    """A function whose memory holds `most` items; it records the sizes that it was asked for."""
    asked = []

    def work(batch):
        asked.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in batch]

    return work, asked


def test_a_batch_that_does_not_fit_is_halved_and_the_rest_goes_on():
    work, asked = holding(3)
    batches = ShrinkingBatches(8)
    results = [result for batch in batches.run(work, range(11)) for result in batch]
    assert results == [item * 10 for item in range(11)]
    assert asked == [8, 4, 2, 2, 2, 2, 2, 1]
    assert (batches.size, batches.halvings) == (2, 2)


def test_the_smaller_size_stays_for_later_runs():
    work, asked = holding(4)
    batches = ShrinkingBatches(8)
    for _ in range(2):
        list(batches.run(work, range(8)))
    assert asked == [8, 4, 4, 4, 4] and batches.halvings == 1


def test_a_short_batch_is_halved_from_its_own_length():
    work, asked = holding(1)
    assert [result for batch in ShrinkingBatches(64).run(work, [1, 2, 3]) for result in batch] == [10, 20, 30]
    assert asked == [3, 1, 1, 1]


def test_one_person_too_much_is_told_in_one_line():
    work, _ = holding(0)
    with pytest.raises(DataError, match="the GPU's memory does not hold one person"):
        list(ShrinkingBatches(2).run(work, [1]))


def test_other_errors_pass():
    def broken(batch):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(ShrinkingBatches(2).run(broken, [1]))


def test_no_items_no_calls():
    assert list(ShrinkingBatches(2).run(None, [])) == []
