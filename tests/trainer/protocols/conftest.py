"""A parser that answers what the test wants, behind the whole of `evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.builders import make_params
from trainer import evaluate as evaluate_module
from trainer.checkpoints import write_model
from trainer.data.loading import JudgedItem
from trainer.engine.training import make_card
from trainer.models import model_of
from trainer.predict import Answer


def truth(item: JudgedItem) -> Answer:
    """What is true of a crop, without doubt; joints that are not annotated get the lowest score."""
    keypoints = item.keypoints.astype(np.float64)
    keypoints[:, 2] = keypoints[:, 2] > 0
    return Answer(item.mask, keypoints, np.ones(item.mask.shape, np.float32))


def noisy(item) -> Answer:
    """A third of the truth's pixels replaced, doubtful in parts; joints moved."""
    random = np.random.default_rng(list(item.sample_id.encode()))
    mask = np.where(random.random(item.mask.shape) < 0.3, random.integers(0, 7, item.mask.shape), item.mask)
    keypoints = truth(item).keypoints + np.column_stack(
        [random.normal(0, 4, (len(item.keypoints), 2)), np.zeros(len(item.keypoints))]
    )
    keypoints[:, 2] = random.uniform(0.2, 1, len(keypoints))
    return Answer(mask.astype(np.uint8), keypoints, random.uniform(0.3, 1, mask.shape).astype(np.float32))


@pytest.fixture
def judge(tmp_path, monkeypatch) -> Callable:
    """judge(root, protocol, answer=truth, ...) -> what `evaluate` returns of <root>/shards and <root>/ingest."""

    def evaluate(root: Path, protocol: str, answer=truth, label_set="pascal", keypoint_set="pascal14", **rules):
        params = make_params(
            {"protocol": protocol, **rules}, datasets=["people"], label_set=label_set, keypoint_set=keypoint_set
        )
        card = make_card(params)
        write_model(tmp_path / "parser.pt", card, model_of(card).state_dict())

        def answers(parser, batches, fill):
            for items in batches:
                for item in items:
                    yield item, answer(item)

        monkeypatch.setattr(evaluate_module, "parse_all", answers)
        return evaluate_module.evaluate(
            params, tmp_path / "parser.pt", root / "shards", root / "ingest", tmp_path / "predictions"
        )

    return evaluate
