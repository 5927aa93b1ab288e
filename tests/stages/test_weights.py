"""Weights that a stage downloads: kept, placed by hand, refused where they are others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from pipeline.errors import DataError, ParamsError
from pipeline.sources.files import RemoteFile
from stages.context import Context
from stages.train import _backbone_weights
from stages.weights import published_file, weights_file
from tests.file_server import FileServer
from trainer.models import pretrained

ROOT = Path(__file__).resolve().parents[2]
DATA = bytes(range(256)) * 64
START = hashlib.sha256(DATA).hexdigest()[:8]
DIGITS = {"sha256": START}


def context(folder: Path, **train: object) -> Context:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["download"] = {"retries": 0, "allow_http": True, "timeout_s": 5.0}
    params["train"] |= train
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return Context(folder / "params.yaml", (), folder, False, True)


def test_a_file_at_an_address_comes_once_and_is_kept(server: FileServer, tmp_path: Path) -> None:
    url = server.add("weights/a.pth", DATA)
    for _ in range(2):
        file = weights_file(context(tmp_path), "train.backbone_weights", url, "hpp train")
        assert file.read_bytes() == DATA and file.name.endswith("-a.pth")
    assert len(server.requests) == 1
    other = weights_file(context(tmp_path), "k", server.add("other/a.pth", b"other"), "hpp train")
    assert other.read_bytes() == b"other" and file.read_bytes() == DATA


def test_a_published_file_is_checked_by_the_digits_of_its_name(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.pth", DATA)
    file = published_file(context(tmp_path), "k", RemoteFile("a.pth", (url,), None, DIGITS), "hpp train")
    assert file.read_bytes() == DATA
    wrong = server.add("b.pth", b"something else")
    with pytest.raises(DataError, match=rf"b\.pth.*SHA-256 is [0-9a-f]{{64}}, expected {START}"):
        published_file(context(tmp_path), "k", RemoteFile("b.pth", (wrong,), None, DIGITS), "hpp train")


def test_an_offline_machine_takes_the_file_placed_by_hand(tmp_path: Path) -> None:
    placed = tmp_path / "data/manual/weights/a.pth"
    gone = RemoteFile("a.pth", ("http://127.0.0.1:9/a.pth",), None, DIGITS)
    with pytest.raises(DataError) as told:
        published_file(context(tmp_path), "train.backbone_weights", gone, "hpp train")
    assert f"Place by hand: {placed}; then run `hpp train` again" in str(told.value)
    assert "Look at train.backbone_weights in params.yaml" in str(told.value)
    placed.parent.mkdir(parents=True)
    placed.write_bytes(DATA)
    assert published_file(context(tmp_path), "k", gone, "hpp train").read_bytes() == DATA


def test_files_and_slips(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(DATA)
    assert weights_file(context(tmp_path), "k", str(tmp_path / "a.pth"), "hpp train") == tmp_path / "a.pth"
    with pytest.raises(ParamsError, match=r"train\.backbone_weights: no file gone\.pth"):
        weights_file(context(tmp_path), "train.backbone_weights", "gone.pth", "hpp train")
    with pytest.raises(ParamsError, match=r"k: https://example\.org/ does not end in the name of a file"):
        weights_file(context(tmp_path), "k", "https://example.org/", "hpp train")


def test_imagenet_means_the_published_file_of_the_backbone(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {("resnet18", "plain"): server.add(f"resnet18-{START}.pth", DATA)}
    monkeypatch.setattr(pretrained, "_ADDRESSES", addresses)
    chosen = {"backbone": "resnet18", "variant": "paper", "backbone_weights": "imagenet"}
    assert _backbone_weights(context(tmp_path, **chosen)) == tmp_path / f"data/scratch/weights/resnet18-{START}.pth"
    assert _backbone_weights(context(tmp_path)) is None
    with pytest.raises(ParamsError, match="train: backbone_weights: no ImageNet weights are known for 'resnet18'"):
        _backbone_weights(context(tmp_path, **{**chosen, "variant": "official"}))
    with pytest.raises(ParamsError, match="train: backbone_weights: the model has no backbone"):
        _backbone_weights(context(tmp_path, **chosen, model="vgg16-fcn", input_size=[160, 96]))
