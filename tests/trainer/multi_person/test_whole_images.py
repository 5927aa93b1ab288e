"""People of a whole image by one look, and `evaluate.joints: images`, which judges them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import ParamsError
from pipeline.geometry.affine import transform_points
from pipeline.labels import gaussian_heatmaps
from pipeline.params import Evaluate
from tests.trainer.builders import make_params
from tests.trainer.protocols.builders import make_record, write_set
from trainer import evaluate as evaluate_module
from trainer.checkpoints import write_model
from trainer.data.augment import place
from trainer.engine.training import make_card
from trainer.models import model_of
from trainer.models.prediction import Prediction
from trainer.multi_person import centroid_offsets
from trainer.multi_person.whole_images import people_of_image
from trainer.predict import CropParser

WANTED = {"model": "hg-0s-1u-mula", "input_size": [128, 128], "keypoint_set": "pascal14", "label_set": "pascal"}


def card(centroids: bool = True):
    return make_card(make_params(**WANTED, convention="mula", centroids=centroids))


class Ideal(nn.Module):
    """Gives the maps of people whose joints lie at these input pixels, and notes what it was fed."""

    align_corners = True

    def __init__(self, people: np.ndarray) -> None:
        super().__init__()
        each = [gaussian_heatmaps(person, (32, 32), 4, sigma=1.5, convention="mula") for person in people]
        self.heatmaps = torch.from_numpy(np.max(each, axis=0))[None]
        cells = people.copy()
        cells[..., :2] = (people[..., :2] + 0.5) / 4 - 0.5
        self.offsets = torch.from_numpy(centroid_offsets(cells, (32, 32), 2.0)[0])[None]

    def forward(self, images: torch.Tensor) -> Prediction:
        self.fed = tuple(images.shape)
        return Prediction([torch.zeros(1, 7, 32, 32)], pose=[self.heatmaps], centroids=[self.offsets])


def test_two_people_whose_joints_lie_side_by_side_are_told_apart():
    image = np.zeros((150, 100, 3), np.uint8)
    random = np.random.default_rng(3)
    people = np.full((2, 14, 3), 2.0)
    people[0, :, :2] = random.uniform([8, 10], [45, 140], (14, 2))
    people[1, :, :2] = random.uniform([55, 10], [92, 140], (14, 2))
    people[1, 4] = 0
    to_input = place((150, 100), (128, 128)).to_input
    in_input = people.copy()
    in_input[..., :2] = transform_points(to_input, people[..., :2].reshape(-1, 2)).reshape(2, 14, 2)
    in_input[1, 4] = 0
    model = Ideal(in_input)
    found = people_of_image(CropParser(model, card(), torch.device("cpu")), image)
    assert model.fed == (1, 3, 128, 128) and found.shape == (2, 14, 3)
    found = found[np.argsort(np.nanmean(found[..., 0], axis=1))]
    assert np.isnan(found[1, 4]).all() and not np.isnan(found[0]).any()
    half_a_cell = 2 / to_input[0, 0]
    errors = np.abs(found[..., :2] - people[..., :2])[people[..., 2] > 0]
    assert errors.max() <= half_a_cell + 1e-6 and errors.max() > half_a_cell / 2


def test_an_image_of_nobody_has_no_people():
    nobody = np.zeros((1, 14, 3))
    found = people_of_image(CropParser(Ideal(nobody), card(), torch.device("cpu")), np.zeros((40, 70, 3), np.uint8))
    assert found.shape == (0, 14, 3)


def evaluated(tmp_path, root, centroids: bool = True, **rules):
    torch.manual_seed(0)
    model_card = card(centroids)
    write_model(tmp_path / "parser.pt", model_card, model_of(model_card).state_dict())
    params = make_params({"protocol": "pascal", **rules}, **{**WANTED, "datasets": ["people"]}, convention="mula")
    return evaluate_module.evaluate(
        params, tmp_path / "parser.pt", root / "shards", root / "ingest", tmp_path / "predictions"
    )


def test_evaluate_judges_the_people_of_whole_images(tmp_path, monkeypatch):
    records = [make_record(index) for index in range(4)]
    root = write_set(tmp_path / "set", records)
    known = {record.decode_image().tobytes(): record.people.keypoints for record in records}

    def truth(parser, image):
        keypoints = known[image.tobytes()]
        if keypoints is None:
            return np.zeros((0, 14, 3))
        return np.where(keypoints[..., 2:] > 0, keypoints, np.nan).astype(float)

    crops = evaluated(tmp_path, root)
    monkeypatch.setattr(evaluate_module, "people_of_image", truth)
    judged = evaluated(tmp_path, root, joints="images")
    assert judged["scores"]["multi_person_pose_ap"] == 100 and crops["scores"]["multi_person_pose_ap"] < 100
    assert "grouped" in judged["protocol"]["joints"] and "joints" not in crops["protocol"]
    assert judged["scores"]["mean_iou"] == crops["scores"]["mean_iou"]


def test_evaluate_looks_at_whole_images_by_the_model(tmp_path):
    root = write_set(tmp_path / "set", [make_record(0)])
    assert 0 <= evaluated(tmp_path, root, joints="images")["scores"]["multi_person_pose_ap"] <= 100


def test_what_does_not_go_together_is_told(tmp_path):
    with pytest.raises(ValueError, match="joints: images is of protocol pascal, not of lip"):
        Evaluate(joints="images")
    root = write_set(tmp_path / "set", [make_record(0)])
    with pytest.raises(ParamsError, match=r"evaluate\.joints: images, but model hg-0s-1u-mula was trained without"):
        evaluated(tmp_path, root, centroids=False, joints="images")
    without = SimpleNamespace(card=card(), device="cpu", model=model_of(card(False)).eval())
    with pytest.raises(ValueError, match="model hg-0s-1u-mula has no branch of centroids"):
        people_of_image(without, np.zeros((40, 70, 3), np.uint8))
