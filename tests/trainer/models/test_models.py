"""Building by name, backbones, saving and loading; what each row of the papers computes stands in test_rows.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import DataError
from tests.trainer.builders import make_params
from trainer.checkpoints import write_model
from trainer.engine.training import make_card
from trainer.models import build_model, load_model, model_of
from trainer.models.backbones import BACKBONES, build_backbone

SMALL = {"backbone": "resnet18_slim", "channels": 8, "dilations": (1, 2, 3)}


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("stem", ["plain", "three"])
def test_backbone_strides_and_channels(backbone, stem):
    features = build_backbone(backbone, stem).eval()
    with torch.no_grad():
        outputs = features(torch.randn(1, 3, 32, 32))
    assert [output.shape[1] for output in outputs] == list(features.channels)
    assert [output.shape[2] for output in outputs] == [8, 4, 2, 2]


def test_backbone_of_stride_8_has_the_weights_of_that_of_16():
    finer, coarser = (build_backbone("resnet18_slim", "plain", stride).eval() for stride in (8, 16))
    finer.load_state_dict(coarser.state_dict())
    with torch.no_grad():
        assert [output.shape[2] for output in finer(torch.randn(1, 3, 64, 64))] == [16, 8, 8, 8]


def test_corrpm_has_the_size_of_the_authors_network():
    model = build_model("corrpm", 20, 16)
    # 71.71 M measured on the authors' code, which also holds three layers that reach no loss: 256 -> 2 by 3x3 in the
    # edge module, and the decoder's 512 -> 256 and 256 -> 48 with their norms, which its forward pass leaves out.
    unused = (256 * 2 * 9 + 2) + (512 * 256 + 2 * 256) + (256 * 48 + 2 * 48)
    assert sum(parameter.numel() for parameter in model.parameters()) + unused == pytest.approx(71.71e6, abs=5e3)


def test_same_seed_gives_the_same_weights():
    first, second = (torch.manual_seed(5) and build_model("corrpm", 3, 2, **SMALL) for _ in range(2))
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "unet"}, "name: model 'unet' is unknown, expected one of corrpm"),
        ({"variant": "mine"}, "variant: 'mine' is unknown, expected one of paper, official"),
        ({"num_classes": 1}, "num_classes: 1, expected at least 2"),
        ({"num_keypoints": 0}, "num_keypoints: 0, expected at least 1"),
        ({"channels": 2}, "channels: 2, expected an even number from 4"),
        ({"width": 4}, "width: model 'corrpm' has no such option, it takes backbone, channels, dilations"),
        ({"channels": 7}, "channels: 7, expected an even number"),
        ({"backbone": "vgg"}, "backbone: 'vgg' is unknown, expected one of resnet18_slim"),
    ],
)
def test_build_model_names_the_wrong_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_model(**{"name": "corrpm", "num_classes": 5, "num_keypoints": 4, **arguments})


def test_loaded_model_answers_as_the_saved_one(tmp_path: Path):
    card = make_card(make_params())
    model = model_of(card).eval()
    write_model(tmp_path / "a.pt", card, model.state_dict())
    loaded = load_model(tmp_path / "a.pt")
    assert not loaded.training
    images = torch.randn(1, 3, 48, 32)
    with torch.no_grad():
        assert torch.equal(model(images).parsing[-1], loaded(images).parsing[-1])


def test_model_file_bytes_do_not_depend_on_the_name_or_on_memory_layout(tmp_path: Path):
    card = make_card(make_params())
    model = model_of(card)
    write_model(tmp_path / "a.pt", card, model.state_dict())
    write_model(tmp_path / "other" / "longer name.pt", card, model.to(memory_format=torch.channels_last).state_dict())
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "other" / "longer name.pt").read_bytes()


def test_damaged_and_foreign_files_are_named(tmp_path: Path):
    file = tmp_path / "a.pt"
    with pytest.raises(DataError, match=r"a\.pt: not found"):
        load_model(file)
    file.write_bytes(b"PK no model")
    with pytest.raises(DataError, match=r"a\.pt: not a whole PyTorch file"):
        load_model(file)
    torch.save({"weights": {}}, file)
    with pytest.raises(DataError, match=r"a\.pt: not a model file of format 1"):
        load_model(file)
    card = make_card(make_params())
    write_model(file, card, {"stem": torch.zeros(1)})
    with pytest.raises(DataError, match=r"a\.pt: its weights and its card do not fit"):
        load_model(file)
