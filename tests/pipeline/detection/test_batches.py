"""Batches that shrink: nothing lost, nothing done twice, the halvings counted; images of like shape together."""

import numpy as np
import pytest
import torch

from pipeline.detection.batches import ImageBatches, ShrinkingBatches
from pipeline.errors import DataError


def batches_of(size: int) -> ShrinkingBatches[int]:
    return ShrinkingBatches(size, lambda item: f"number {item}")


def holding(most: int):
    """A network whose memory holds `most` items; it records the sizes that it was asked for."""
    asked = []

    def network(batch):
        asked.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in batch]

    return network, asked


def test_a_batch_that_does_not_fit_is_halved_and_the_rest_goes_on():
    network, asked = holding(3)
    batches = batches_of(8)
    assert batches.run(network, range(11)) == [item * 10 for item in range(11)]
    assert asked == [8, 4, 2, 2, 2, 2, 2, 1]
    assert (batches.size, batches.halvings) == (2, 2)


def test_the_smaller_size_stays_for_later_runs():
    network, asked = holding(4)
    batches = batches_of(8)
    for _ in range(2):
        batches.run(network, range(8))
    assert asked == [8, 4, 4, 4, 4] and batches.halvings == 1


def test_a_short_batch_is_halved_from_its_own_length():
    network, asked = holding(1)
    assert batches_of(64).run(network, [1, 2, 3]) == [10, 20, 30]
    assert asked == [3, 1, 1, 1]


def test_an_item_too_much_by_itself_is_told_in_one_line():
    network, _ = holding(0)
    with pytest.raises(DataError, match=r"^number 1: the GPU's memory does not hold it by itself\. Free .*nothing$"):
        batches_of(2).run(network, [1, 2])


def test_other_errors_pass_and_results_too_few_are_one():
    def broken(batch):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        batches_of(2).run(broken, [1])
    with pytest.raises(ValueError, match="shorter"):
        batches_of(2).run(lambda batch: [], [1])


def test_no_items_no_calls():
    assert batches_of(2).run(None, []) == []


def image(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_images_of_like_shape_share_a_batch_and_results_keep_their_places():
    calls: list[list[tuple[int, int]]] = []

    def network(images):
        calls.append([one.shape[:2] for one in images])
        return [one.shape[1] for one in images]

    images = [image(4, 9), image(9, 4), image(4, 8), image(8, 4), image(5, 5)]
    assert ImageBatches(2).run(network, images) == [9, 4, 8, 4, 5]
    assert calls == [[(9, 4), (8, 4)], [(5, 5), (4, 8)], [(4, 9)]]


def test_an_image_that_does_not_fit_by_itself_is_told_with_its_size():
    def network(images):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(DataError, match=r"^an image of 7x5: the GPU's memory does not hold it by itself"):
        ImageBatches(4).run(network, [image(5, 7)] * 2)


def test_what_is_no_image_is_named():
    with pytest.raises(ValueError, match=r"image: float32 of shape \(5, 7, 3\), expected uint8 \(H, W, 3\)"):
        ImageBatches(4).run(None, [image(5, 7).astype(np.float32)])
