"""The moving average of weights, by hand."""

from __future__ import annotations

import pytest
import torch

from trainer.engine.average import WeightAverage


def test_an_average_of_weights_is_what_the_formula_says():
    network = torch.nn.BatchNorm1d(1)
    average = WeightAverage(network, decay=0.5)
    by_hand = network.weight.item()
    for step, weight in enumerate([3.0, -1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0]):
        with torch.no_grad():
            network.weight.fill_(weight)
            network.num_batches_tracked.fill_(step)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        by_hand = decay * by_hand + (1 - decay) * weight
        assert float(average.values["weight"]) == pytest.approx(by_hand)
    assert int(average.values["num_batches_tracked"]) == 10
    with average.in_place():
        assert network.weight.item() == pytest.approx(by_hand)
    assert network.weight.item() == 5.0
    assert float(average.values["running_mean"]) == 0
