"""Evaluation: a perfect parser scores 100 at the crop's own size, and the report says how it was judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.errors import DataError, ParamsError
from pipeline.images import decode_map
from tests.trainer import builders
from tests.trainer.builders import make_params, make_sample, write_shards, write_toy_set
from trainer import evaluate as evaluate_module
from trainer.checkpoints import write_model
from trainer.data.loading import JudgedData
from trainer.data.samples import ParsingSamples
from trainer.engine import train
from trainer.engine.training import make_card
from trainer.evaluate import evaluate
from trainer.models import ParsingNetwork, Prediction, model_of
from trainer.predict import CropParser, to_crop


class Oracle(ParsingNetwork):
    """Reads the classes from the toy images' colours, so that its answers are the truth."""

    align_corners = False

    def __init__(self, card):
        super().__init__()
        self.card = card

    def forward(self, images):
        spec = self.card.input_spec
        mean, std = torch.tensor(spec.mean).view(3, 1, 1), torch.tensor(spec.std).view(3, 1, 1)
        rgb = ((images * std + mean) * 255).flip(1)
        colours = torch.from_numpy(builders.COLOURS[:20].astype(np.float32))
        distance = (rgb[:, None] - colours[None, :, :, None, None]).square().sum(2)
        distance[:, [c for c in range(20) if c not in builders.CLASSES]] = 1e6
        return Prediction([torch.nn.functional.one_hot(distance.argmin(1), 20).permute(0, 3, 1, 2).float()])


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("toy")
    write_shards(root / "toy" / "val", [make_sample(i, "val", (48, 32)) for i in range(4)])
    return root


@pytest.fixture
def oracle_file(tmp_path, monkeypatch) -> Path:
    card = make_card(make_params())
    write_model(tmp_path / "oracle.pt", card, model_of(card).state_dict())
    monkeypatch.setattr(evaluate_module, "load_model", lambda file: Oracle(card).eval())
    return tmp_path / "oracle.pt"


def test_truth_as_prediction_scores_100(toy, tmp_path, oracle_file):
    result = evaluate(make_params(), oracle_file, toy, tmp_path, tmp_path / "out")
    assert result["scores"]["mean_iou"] == result["scores"]["pixel_accuracy"] == 100
    assert result["iou"]["face"] == 100
    assert result["iou"]["hat"] is None
    assert result["pckh"] == {}
    assert result["constant"]["class"] == "background"
    assert 0 < result["constant"]["mean_iou"] < 20
    assert np.trace(result["confusion"]) == np.sum(result["confusion"]) == 4 * 48 * 32


@pytest.mark.parametrize("rules", [{"flip": True}, {"scales": [1.0, 1.5]}])
def test_views_are_brought_back_to_the_crop(toy, tmp_path, oracle_file, rules):
    result = evaluate(make_params(evaluate=rules), oracle_file, toy, tmp_path, tmp_path / "out")
    # Toy legs are told apart by colour, so a mirrored view names the wrong side; all else must agree.
    sides = {"left-leg", "right-leg"} if "flip" in rules else set()
    scored = {name: iou for name, iou in result["iou"].items() if iou is not None and name not in sides}
    assert min(scored.values()) > 85


def test_predictions_are_shards_of_masks_at_the_crops_size(toy, tmp_path, oracle_file):
    steps = []
    params = make_params()
    params = params.model_copy(update={"shards": params.shards.model_copy(update={"records_per_shard": 3})})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    result = evaluate(params, oracle_file, toy, tmp_path, tmp_path / "out", lambda *done: steps.append(done))
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["part-00000.parquet", "part-00001.parquet"]
    rows = [row for name in files for row in pq.read_table(tmp_path / "out" / name).to_pylist()]
    assert [row["sample_id"] for row in rows] == [f"val.{i}_a.b" for i in range(4)]
    for index, row in enumerate(rows):
        assert (decode_map(row["mask"], "") == make_sample(index, "val", (48, 32)).decode_mask()).all()
        assert row["mean_iou"] == row["pixel_accuracy"] == 100
    assert steps == [(done, 4) for done in range(1, 5)]
    assert result["protocol"]["images"] == 4
    assert result["protocol"]["split"] == "val"
    assert len(result["protocol"]["split_sha256"]) == 64


def test_evaluation_agrees_with_validation_and_repeats(tmp_path):
    root = write_toy_set(tmp_path / "shards", train=8, val=4)
    params = make_params(epochs=2)
    last = train(params, root, tmp_path / "parser.pt", tmp_path / "scratch")
    first = evaluate(params, tmp_path / "parser.pt", root, tmp_path, tmp_path / "one")
    second = evaluate(make_params(epochs=2, loader_workers=2), tmp_path / "parser.pt", root, tmp_path, tmp_path / "two")
    assert first == second
    assert first["scores"]["mean_iou"] == last["val_mean_iou"]
    assert first["scores"]["pckh_mean"] == last["val_pckh_mean"]
    assert (tmp_path / "one/part-00000.parquet").read_bytes() == (tmp_path / "two/part-00000.parquet").read_bytes()


@pytest.mark.parametrize(
    "scale, told",
    [
        (0.01, r"scale 0\.01 leaves 0x0 of the input's 48x32$"),
        (0.1, r"scale 0\.1: .* side of 3 .* must be at least 5$"),
    ],
)
def test_scales_that_leave_nothing_are_named(toy, tmp_path, scale, told):
    params = make_params(evaluate={"scales": [scale]})
    card = make_card(params)
    write_model(tmp_path / "p.pt", card, model_of(card).state_dict())
    with pytest.raises(ParamsError, match=rf"^evaluate\.scales: {told}"):
        evaluate(params, tmp_path / "p.pt", toy, tmp_path, tmp_path / "out")


def test_scales_that_the_model_cannot_be_fed_are_named(toy, tmp_path):
    params = make_params(model="hg-1s-1u-mula", channels=8, input_size=(64, 64), evaluate={"scales": [1.0, 1.25]})
    card = make_card(params)
    write_model(tmp_path / "mula.pt", card, model_of(card).state_dict())
    with pytest.raises(ParamsError, match=r"evaluate\.scales: scale 1\.25: input size: a side of 80 does not fit"):
        evaluate(params, tmp_path / "mula.pt", toy, tmp_path, tmp_path / "out")


def test_missing_model_is_named(toy, tmp_path):
    with pytest.raises(DataError, match=r"parser\.pt: not found"):
        evaluate(make_params(), tmp_path / "parser.pt", toy, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("align", [False, True])
def test_maps_of_the_inputs_size_come_back_unchanged(align):
    maps = torch.randn(2, 12, 10)
    shifted = np.array([[1.0, 0, 3], [0, 1, 2]])
    assert torch.allclose(to_crop(maps, shifted, (8, 6), (12, 10), align), maps[:, 2:10, 3:9], atol=1e-5)


@pytest.mark.parametrize(("convention", "offset"), [("corrpm", 0.0), ("mula", 1.5), ("exact", 1.5)])
@pytest.mark.parametrize("flip", [False, True])
def test_joints_are_read_where_the_heatmaps_convention_draws_them(toy, convention, offset, flip):
    params = make_params()
    params = params.model_copy(update={"heatmaps": params.heatmaps.model_copy(update={"convention": convention})})
    card = make_card(params)

    class Peak(torch.nn.Module):
        """Joint 12, the right shoulder, seen at column 3 of row 5 in the image as it stands."""

        align_corners = True

        def forward(self, images):
            heatmaps = torch.zeros(len(images), 16 + (convention == "mula"), 12, 8)
            heatmaps[:, 16:] = 9  # MuLA's background is no joint
            heatmaps[:, 12, 5, 3] = 1
            heatmaps[:, 12, 5, 4] = 0.5
            return Prediction([torch.zeros(len(images), 20, 12, 8)], [], [heatmaps])

    parser = CropParser(Peak(), card, torch.device("cpu"), flip)
    samples = ParsingSamples([toy / "toy" / "val"], parser.label_set, parser.keypoint_set)
    item = JudgedData(samples, card.input_spec, (1.0,))[0]
    keypoints = parser.parse([item])[0].keypoints
    assert keypoints.shape == (16, 3)
    np.testing.assert_allclose(keypoints[12], [3.25 * 4 + offset, 20 + offset, 1])
    if flip:  # the same peak of the mirrored image is the left shoulder's, on the other side
        np.testing.assert_allclose(keypoints[13], [31 - (3.25 * 4 + offset), 20 + offset, 1])


@pytest.mark.parametrize("strip", [1, 40, 10**6])
def test_classes_and_their_probability_are_those_of_the_summed_views_strip_by_strip(toy, monkeypatch, strip):
    class Drawn(torch.nn.Module):
        align_corners = False

        def forward(self, images):
            generator = torch.Generator().manual_seed(images.shape[2])
            return Prediction([3 * torch.randn(len(images), 20, 12, 8, generator=generator)], [], [])

    monkeypatch.setattr("trainer.predict.STRIP_PIXELS", strip)
    parser = CropParser(Drawn(), make_card(make_params()), torch.device("cpu"), flip=True, confidence=True)
    samples = ParsingSamples([toy / "toy" / "val"], parser.label_set, parser.keypoint_set)
    item = JudgedData(samples, parser.card.input_spec, (1.0, 1.5))[0]
    answer = parser.parse([item])[0]
    swap = torch.from_numpy(parser.label_set.hflip_lut[:20].astype(int))
    logits = 0
    for image, to_input in zip(item.images, item.to_input, strict=True):
        maps = Drawn()(torch.zeros(1, 3, *image.shape[:2])).parsing[0][0]
        for seen in (maps, maps.flip(2)[swap]):
            logits = logits + to_crop(seen, to_input, item.mask.shape, image.shape[:2], False)
    assert np.array_equal(answer.mask, logits.argmax(0).numpy())
    np.testing.assert_allclose(answer.confidence, (logits / 4).softmax(0).amax(0).numpy(), rtol=1e-5)
    assert (
        answer.keypoints.shape == (0, 3)
        and CropParser(Drawn(), parser.card, parser.device).parse([item])[0].confidence is None
    )
