"""Backbones that begin with published weights: torchvision's, those of three convolutions first, timm's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from pipeline.errors import DataError, ParamsError
from tests.trainer.builders import make_params, write_toy_set
from trainer.checkpoints import read_model
from trainer.engine import train
from trainer.engine.training import make_card
from trainer.models import build_model, model_of
from trainer.models.backbones import BACKBONES
from trainer.models.pretrained import load_backbone, published_weights

SMALL = {"channels": 16, "dilations": (1, 2, 3)}
needs_timm = pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")


def corrpm(variant: str = "paper", backbone: str = "resnet18"):
    return build_model("corrpm", 5, 4, variant, backbone=backbone, **SMALL)


def torchvision_network(name: str):
    torch.manual_seed(3)
    network = getattr(torchvision.models, name)()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean)
    return network.eval()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torchvisions_weights_give_torchvisions_features(tmp_path: Path, name: str) -> None:
    theirs, ours = torchvision_network(name), corrpm(backbone=name)
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    load_backbone(ours, tmp_path / "a.pth", "rgb")
    theirs, ours = theirs.double(), ours.double()
    images = torch.randn(1, 3, 32, 64, dtype=torch.float64)
    with torch.no_grad():
        found = ours.backbone.eval()(images)
        expected = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
        for level in (1, 2, 3):  # the fourth is dilated here and not there
            expected = getattr(theirs, f"layer{level}")(expected)
            assert torch.allclose(found[level - 1], expected)
    for key, tensor in theirs.layer4.state_dict().items():
        assert torch.equal(ours.backbone.layer4.state_dict()[key], tensor)


def test_a_network_fed_bgr_answers_bgr_as_its_twin_answers_rgb(tmp_path: Path) -> None:
    torch.save(torchvision_network("resnet18").state_dict(), tmp_path / "a.pth")
    images, answers = torch.randn(1, 3, 32, 32, dtype=torch.float64), []
    for order in ("rgb", "bgr"):
        network = build_model("deeplabv2", 5, 4, backbone="resnet18").double().eval()
        load_backbone(network, tmp_path / "a.pth", order)
        with torch.no_grad():
            answers.append(network.backbone(images if order == "rgb" else images.flip(1))[-1])
    assert torch.allclose(*answers)


def three_convolutions_first() -> dict[str, torch.Tensor]:
    """A resnet18 in the layout of the file that CorrPM's code begins with: no counters, conv1 to conv3, a classifier."""
    torch.manual_seed(4)
    weights = {
        key: tensor for key, tensor in torchvision.models.resnet18().state_dict().items() if "num_batches" not in key
    }
    weights["layer1.0.conv1.weight"] = torch.randn(64, 128, 3, 3)
    for layer, inputs, outputs in ((1, 3, 64), (2, 64, 64), (3, 64, 128)):
        weights[f"conv{layer}.weight"] = torch.randn(outputs, inputs, 3, 3)
        for key in ("weight", "bias", "running_mean", "running_var"):
            weights[f"bn{layer}.{key}"] = torch.rand(outputs)
    weights |= {"layer1.0.downsample.0.weight": torch.randn(64, 128, 1, 1)}
    weights |= {
        f"layer1.0.downsample.1.{key}": torch.rand(64) for key in ("weight", "bias", "running_mean", "running_var")
    }
    return weights


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_authors_file_fills_the_stem_of_three_convolutions(tmp_path: Path, wrapped: bool) -> None:
    weights = three_convolutions_first()
    torch.save({"state_dict": weights} if wrapped else weights, tmp_path / "a.pth")
    network = corrpm("official")
    load_backbone(network, tmp_path / "a.pth", "bgr")
    found = network.backbone.state_dict()
    for theirs, ours in {"conv1": "stem.0", "conv2": "stem.3", "conv3": "stem.6"}.items():
        assert torch.equal(found[f"{ours}.weight"], weights[f"{theirs}.weight"])
    assert torch.equal(found["stem.7.running_var"], weights["bn3.running_var"])
    assert torch.equal(found["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])


def test_safetensors_files_are_read(tmp_path: Path) -> None:
    weights = torchvision_network("resnet18").state_dict()
    save_file(weights, tmp_path / "a.safetensors")
    network = corrpm()
    load_backbone(network, tmp_path / "a.safetensors", "rgb")
    assert torch.equal(network.backbone.stem[0].weight, weights["conv1.weight"])


def test_files_that_do_not_fit_are_told(tmp_path: Path) -> None:
    file, plain = tmp_path / "a.pth", torchvision_network("resnet18").state_dict()
    begins = r"expected the weights of a resnet18 that begins with three convolutions of 3x3"
    torch.save(plain, file)
    with pytest.raises(DataError, match=rf"a\.pth: lacks 'stem\.3\.weight' \(\d+ such tensors\), {begins}"):
        load_backbone(corrpm("official"), file, "bgr")
    torch.save(three_convolutions_first(), file)
    with pytest.raises(DataError, match=r"a\.pth: has the unknown 'conv2\.weight'"):
        load_backbone(corrpm(), file, "rgb")
    torch.save(plain | {"layer1.0.conv1.weight": torch.zeros(1)}, file)
    with pytest.raises(DataError, match=r"a\.pth: 'layer1\.0\.conv1\.weight' is \(1,\), expected \(64, 64, 3, 3\)"):
        load_backbone(corrpm(), file, "rgb")
    torch.save([1], file)
    with pytest.raises(DataError, match=r"a\.pth: holds no weights by name"):
        load_backbone(corrpm(), file, "rgb")
    file.write_bytes(b"none")
    with pytest.raises(DataError, match=r"a\.pth: not a whole PyTorch file"):
        load_backbone(corrpm(), file, "rgb")
    file.rename(tmp_path / "a.safetensors")
    with pytest.raises(DataError, match=r"a\.safetensors: not a whole safetensors file"):
        load_backbone(corrpm(), tmp_path / "a.safetensors", "rgb")
    with pytest.raises(ValueError, match="backbone_weights: the model has no backbone that takes weights"):
        load_backbone(build_model("vgg16-fcn", 5, 4, channels=8), file, "rgb")


def test_torchvisions_addresses_are_those_that_torchvision_knows() -> None:
    for name in ("resnet18", "resnet50", "resnet101"):
        with torch.device("meta"):
            published = published_weights(corrpm(backbone=name))
        known = torchvision.models.get_model_weights(name).IMAGENET1K_V1
        assert published.url == known.url and published.name == known.url.rsplit("/", 1)[1]
        assert published.sha256_start == published.name[-12:-4]


def test_addresses_of_three_convolutions_first_and_of_none() -> None:
    with torch.device("meta"):
        published = published_weights(corrpm("official", "resnet101"))
        assert published.name == "resnet101-imagenet.pth" and published.sha256_start == ""
        with pytest.raises(
            ValueError, match="no ImageNet weights are known for 'resnet18_slim', only for resnet101, resn"
        ):
            published_weights(corrpm(backbone="resnet18_slim"))


def test_training_begins_with_the_file(tmp_path: Path) -> None:
    """With a rate that moves nothing, the weights that come out are those that went in."""
    file = tmp_path / "a.pth"
    torch.save(torchvision_network("resnet18").state_dict(), file)
    shards = write_toy_set(tmp_path / "shards", train=4, val=2)
    params = make_params(backbone="resnet18", variant="paper", epochs=1, lr=1e-30, backbone_weights=str(file))
    train(params, shards, tmp_path / "parser.pt", tmp_path / "scratch", backbone_file=file)
    card, weights = read_model(tmp_path / "parser.pt")
    assert card.training["backbone_weights"] == str(file)
    expected = torch.load(file)
    assert torch.allclose(weights["backbone.stem.0.weight"], expected["conv1.weight"])
    assert torch.allclose(weights["backbone.layer4.0.conv1.weight"], expected["layer4.0.conv1.weight"])
    with pytest.raises(ParamsError, match="train: backbone_weights: the model has no backbone"):
        train(
            make_params(model="vgg16-fcn", input_size=[48, 32], channels=8),
            shards,
            tmp_path / "a",
            tmp_path,
            backbone_file=file,
        )


@needs_timm
@pytest.mark.parametrize(
    ("name", "strides"),
    [("resnet18", (4, 8, 16, 16)), ("mambaout_femto", (4, 8, 16, 32))],
)
def test_timms_networks_serve_as_backbones(name: str, strides: tuple[int, ...]) -> None:
    network = corrpm("official", f"timm/{name}").eval()
    with torch.no_grad():
        maps = network.backbone(torch.randn(1, 3, 64, 96))
        assert [tuple(level.shape) for level in maps] == [
            (1, channels, 64 // stride, 96 // stride)
            for channels, stride in zip(network.backbone.channels, strides, strict=True)
        ]
        prediction = network(torch.randn(1, 3, 64, 96))
    assert {tuple(output.shape[2:]) for output in (*prediction.parsing, *prediction.edge, *prediction.pose)} == {
        (16, 24)
    }


@needs_timm
def test_deeplab_dilates_timms_networks_to_stride_8() -> None:
    network = build_model("deeplabv2", 5, 4, backbone="timm/resnet18")
    assert network(torch.randn(2, 3, 64, 64)).parsing[0].shape[2:] == (8, 8)


@needs_timm
def test_timms_weights_are_read_and_what_lacks_some_is_told(tmp_path: Path) -> None:
    import timm

    file, whole = tmp_path / "a.pth", timm.create_model("resnet18")
    torch.save(whole.state_dict(), file)
    network = corrpm("paper", "timm/resnet18")
    load_backbone(network, file, "rgb")
    for key, tensor in network.backbone.features.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[key])
    load_backbone(network, file, "bgr")
    assert torch.equal(network.backbone.features.conv1.weight, whole.conv1.weight.flip(1))
    torch.save({"conv1.weight": whole.conv1.weight}, file)
    with pytest.raises(DataError, match=r"a\.pth: lacks 'layer1\.0\.conv1\.weight' .*timm's resnet18"):
        load_backbone(network, file, "rgb")
    file.write_bytes(b"none")
    with pytest.raises(DataError, match=r"a\.pth: .*expected the weights of timm's resnet18"):
        load_backbone(network, file, "rgb")


@needs_timm
def test_timm_tells_where_its_weights_lie() -> None:
    published = published_weights(corrpm("paper", "timm/resnet18.a1_in1k"))
    assert published.name == "timm-resnet18.a1_in1k.pth" and published.url.endswith(f"-{published.sha256_start}.pth")


@needs_timm
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/no_such_net", r"knows no 'no_such_net'"),
        ("timm/vit_tiny_patch16_224", r"takes inputs of one size only"),
        ("timm/resnet18d_of_mine", r"knows no"),
    ],
)
def test_timms_networks_that_do_not_serve_are_told(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"backbone: timm.*{message}"):
        corrpm("official", name)


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(
        ValueError, match=r"backbone: timm/resnet18 needs timm, which is not installed. Run pip install"
    ):
        corrpm("official", "timm/resnet18")


def test_the_card_names_the_backbone() -> None:
    card = make_card(make_params(backbone="resnet18", backbone_weights="imagenet"))
    assert card.options["backbone"] == "resnet18" and "backbone_weights" not in card.options
    with torch.device("meta"):
        assert model_of(card).backbone.name in BACKBONES
