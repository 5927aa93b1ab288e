"""How many images go through a network at once."""

import numpy as np
import pytest
import torch

from pipeline.detection.batches import Batches
from pipeline.errors import DataError


def image(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_images_of_like_shape_share_a_batch_and_results_keep_their_places():
    calls: list[list[tuple[int, int]]] = []

    def network(images):
        calls.append([one.shape[:2] for one in images])
        return [one.shape[1] for one in images]

    images = [image(4, 9), image(9, 4), image(4, 8), image(8, 4), image(5, 5)]
    assert Batches(2).run(images, network) == [9, 4, 8, 4, 5]
    assert calls == [[(9, 4), (8, 4)], [(5, 5), (4, 8)], [(4, 9)]]


def test_a_batch_is_halved_until_it_fits_and_stays_so():
    sizes: list[int] = []

    def network(images):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return images

    batches = Batches(16)
    batches.run([image(2, 2)] * 8, network)
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert (batches.size, batches.halvings) == (2, 2)


def test_an_image_that_does_not_fit_by_itself_is_told_in_one_line():
    def network(images):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(DataError, match=r"an image of 7x5: the GPU's memory does not hold it by itself\. Free") as told:
        Batches(4).run([image(5, 7)] * 2, network)
    assert "\n" not in str(told.value)
