"""ONNX files: what onnxruntime gives is what torch gives, for any batch; how to feed them stands in them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import DataError, ParamsError
from tests.trainer.builders import make_params, make_sample
from trainer import onnx_export
from trainer.checkpoints import ModelCard, write_model
from trainer.data.augment import place, warp_image
from trainer.data.loading import JudgedItem
from trainer.engine.training import fresh_network, make_card
from trainer.models import ParsingNetwork, load_model
from trainer.models.adaptation import dynamic_depthwise
from trainer.onnx_export import export_onnx, scanned_depthwise
from trainer.predict import CropParser

onnxruntime = pytest.importorskip("onnxruntime")
GUIDE = (Path(__file__).parents[2] / "docs" / "export-model.md").read_text(encoding="utf-8")

SIZES = {"vgg16-fcn-mula": (72, 72), "hg-1s-1u-mula": (64, 64), "fcn-8s": (64, 32)}


def write_parser(file: Path, name: str) -> tuple[ParsingNetwork, ModelCard]:
    """A narrow network's file, with norms as training leaves them and no weight at zero."""
    params = make_params(model=name, input_size=list(SIZES.get(name, (48, 32))))
    card = make_card(params)
    network = fresh_network(card, 3)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    for norm in [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]:
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 1.5)
    write_model(file, card, network.state_dict())
    return load_model(file), card


@pytest.fixture(scope="module")
def corrpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with parser.pt and parser.onnx, which takes uint8."""
    folder = tmp_path_factory.mktemp("corrpm")
    write_parser(folder / "parser.pt", "corrpm")
    export_onnx(folder / "parser.pt", folder / "parser.onnx", from_pixels=True)
    return folder


def session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def pixels(count: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(count).integers(0, 256, (count, *size, 3), np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16-fcn-mula", "hg-1s-1u-mula", "ce2p", "deeplabv2", "fcn-8s"])
def test_outputs_are_torchs_for_any_batch(name, tmp_path):
    network, card = write_parser(tmp_path / "a.pt", name)
    shapes = export_onnx(tmp_path / "a.pt", tmp_path / "a.onnx")
    runtime = session(tmp_path / "a.onnx")
    assert runtime.get_inputs()[0].shape == ["batch", 3, *card.input_spec.size]
    for count in (1, 5):
        images = card.input_spec.normalize(pixels(count, card.input_spec.size))
        with torch.no_grad():
            expected = network(images)
        found = dict(zip(shapes, runtime.run(list(shapes), {"images": images.contiguous().numpy()}), strict=True))
        assert set(found) == {head for head in ("parsing", "edge", "pose") if getattr(expected, head)}
        for head, maps in found.items():
            answer = getattr(expected, head)[-1]
            assert maps.shape == (count, *shapes[head]) == tuple(answer.shape)
            assert np.abs(maps - answer.numpy()).max() < 1e-4 * max(1, float(answer.abs().max()))


def test_corrpm_takes_pixels_and_gives_torchs_outputs(corrpm):
    network, runtime = load_model(corrpm / "parser.pt"), session(corrpm / "parser.onnx")
    spec = make_card(make_params()).input_spec
    for count in (1, 4):
        images = pixels(count, spec.size)
        with torch.no_grad():
            expected = network(spec.normalize(images))
        found = runtime.run(["parsing", "edge", "pose"], {"images": images.numpy()})
        for maps, answers in zip(found, (expected.parsing, expected.edge, expected.pose), strict=True):
            assert np.abs(maps - answers[-1].numpy()).max() < 1e-4 * max(1, float(answers[-1].abs().max()))


def test_the_file_says_how_it_is_fed_and_what_its_channels_are(corrpm):
    about = session(corrpm / "parser.onnx").get_modelmeta().custom_metadata_map
    card = make_card(make_params())
    keys = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| .* \|$", GUIDE.split("## Metadata")[1].split("##")[0], re.MULTILINE)
    assert sorted(about) == sorted(key for row in keys for key in re.findall(r"`(\w+)`", row))
    assert json.loads(about["input"]) == {
        "images": "uint8 RGB (N, H, W, 3)", "size": [48, 32], "fill": list(card.input_spec.fill)
    }  # fmt: skip
    assert tuple(json.loads(about["part_names"])) == card.part_names and about["label_set"] == "lip"
    assert json.loads(about["palette"])[:2] == [[0, 0, 0], [128, 0, 0]] and len(json.loads(about["palette"])) == 20
    assert tuple(json.loads(about["keypoint_names"])) == card.keypoint_names
    assert json.loads(about["align_corners"]) is True and json.loads(about["pose_background"]) is False


def test_the_guides_snippet_gives_the_mask_that_the_parser_gives(corrpm, monkeypatch):
    """On a crop of another shape than the input, so that scale, shift and fill matter."""
    monkeypatch.chdir(corrpm)
    image = make_sample(1, hw=(57, 31)).decode_image()
    image = cv2.resize(image, (62, 114), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite("person.png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(snippet.replace("person.jpg", "person.png"), {})
    network, card = load_model(corrpm / "parser.pt"), make_card(make_params())
    placement = place(image.shape[:2], card.input_spec.size)
    item = JudgedItem(
        "a", (warp_image(image, placement, card.input_spec.fill),), (placement.to_input,),
        np.zeros(image.shape[:2], np.uint8), np.zeros((16, 3), np.float32),
    )  # fmt: skip
    (answer,) = CropParser(network, card, torch.device("cpu")).parse([item])
    mask = cv2.imread("mask.png", cv2.IMREAD_UNCHANGED)
    assert len(np.unique(mask)) > 1 and (mask == answer.mask).mean() > 0.995
    palette = np.array(json.loads(session(corrpm / "parser.onnx").get_modelmeta().custom_metadata_map["palette"]))
    assert np.array_equal(cv2.cvtColor(cv2.imread("colours.png"), cv2.COLOR_BGR2RGB), palette[mask])


def test_the_file_holds_nothing_of_this_machine(corrpm):
    data = (corrpm / "parser.onnx").read_bytes()
    assert b"site-packages" not in data and b".py" not in data and str(corrpm).encode() not in data


def test_a_file_that_differs_is_not_published(tmp_path, monkeypatch):
    write_parser(tmp_path / "a.pt", "fcn-8s")
    (tmp_path / "a.onnx").write_bytes(b"before")
    prepare = onnx_export.for_prediction

    def spoilt(network):
        prepared = prepare(network)
        with torch.no_grad():
            prepared.network.scores[0].bias += 100
        return prepared

    monkeypatch.setattr(onnx_export, "for_prediction", spoilt)
    with pytest.raises(
        DataError, match=r"a.pt: parsing of a batch of 2 differs by 1e\+02 between torch and onnxruntime"
    ):
        export_onnx(tmp_path / "a.pt", tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 2


def test_what_to_install_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ParamsError, match=r"needs onnxscript, .* pip install 'human-parsing-pipeline\[onnx\]'"):
        export_onnx(tmp_path / "a.pt", tmp_path / "a.onnx")


def test_one_sample_after_the_other_is_the_grouped_convolution():
    features, kernels = torch.randn(3, 8, 9, 7), torch.randn(3, 8, 5, 3)
    expected = dynamic_depthwise(features, kernels)
    assert (scanned_depthwise(features, kernels) - expected).abs().max() < 1e-5
