"""What goes wrong around a training is told in one line, and costs nothing that was reached."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import DataError, ParamsError
from pipeline.params import Executor
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests.builders import write_split
from tests.trainer.builders import make_params, write_toy_set
from tests.trainer.engine.test_resume import interrupt, resumed_from, with_checkpoints
from trainer.checkpoints import write_model
from trainer.data.samples import ParsingSamples
from trainer.engine import device, train
from trainer.engine.device import build_fabric
from trainer.engine.learner import Learner


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"))


def run(toy: Path, folder: Path, params) -> None:
    train(params, toy, folder / "parser.pt", folder / "scratch")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk that takes no more than so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_checkpoint_before(toy, tmp_path):
    params = with_checkpoints(make_params(epochs=1), 1)
    run(toy, tmp_path / "whole", params)
    found = interrupt(toy, tmp_path / "full", params, 2)
    kept = {file.name: file.read_bytes() for file in found.iterdir()}
    assert list(kept) == ["step-000000001.pt"]
    message = r"step-000000002\.pt: cannot be written \(File too large\)\. Make room for \d+ MB there and run the command again"
    with files_up_to(100_000), pytest.raises(DataError, match=message):
        run(toy, tmp_path / "full", params)
    assert {file.name: file.read_bytes() for file in found.iterdir()} == kept
    assert resumed_from(toy, tmp_path / "full", params) == 1
    assert (tmp_path / "full" / "parser.pt").read_bytes() == (tmp_path / "whole" / "parser.pt").read_bytes()


def test_a_full_disk_at_the_end_leaves_the_last_checkpoint_and_the_old_model(toy, tmp_path, monkeypatch):
    params = make_params(epochs=1)
    (tmp_path / "parser.pt").write_bytes(b"an older model")

    def on_a_full_disk(*arguments):
        with files_up_to(100_000):
            write_model(*arguments)

    monkeypatch.setattr("trainer.engine.training.write_model", on_a_full_disk)
    with pytest.raises(DataError, match=r"parser\.pt: cannot be written"):
        run(toy, tmp_path, params)
    assert (tmp_path / "parser.pt").read_bytes() == b"an older model"
    monkeypatch.undo()
    steps: list[int] = []
    train(params, toy, tmp_path / "parser.pt", tmp_path / "scratch", progress=lambda done, *_: steps.append(done))
    assert not steps  # all were done


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_shard_cut_in_half_is_named(toy, tmp_path, workers, split):
    shutil.copytree(toy, tmp_path / "shards")
    shard = tmp_path / "shards" / "toy" / split / "part-00000.parquet"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    with pytest.raises(DataError, match=r"part-00000\.parquet: not a whole parquet shard \(") as told:
        run(tmp_path / "shards", tmp_path, make_params(epochs=1, loader_workers=workers))
    assert "Traceback" not in str(told.value)


def test_a_model_file_is_no_backbone(toy, tmp_path):
    run(toy, tmp_path, make_params(epochs=1))
    with pytest.raises(DataError, match=r"parser\.pt: holds no weights by name, expected a state_dict"):
        train(make_params(), toy, tmp_path / "other.pt", tmp_path / "scratch", backbone_file=tmp_path / "parser.pt")


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_its_batch(toy, tmp_path):
    params = with_checkpoints(make_params(optimizer="sgd", lr=1e30, epochs=3), 1)
    message = (
        r"train\.lr: the loss is \S+ and its gradients' norm \S+ in step (\d+) at a rate of \S+ \(parsing_refined .*\)\. "
        r"Lower train\.lr, .*; the batch lies in (\S+\.npz)"
    )
    with pytest.raises(ParamsError, match=message) as told:
        run(toy, tmp_path, params)
    assert not (tmp_path / "parser.pt").exists()
    file = Path(str(told.value).rpartition(" ")[2])
    with np.load(file) as batch:
        count = len(batch["sample_ids"])
        assert count in (3, 4)
        assert batch["images"].shape == (count, 48, 32, 3)
        assert batch["masks"].shape == (count, 48, 32)
        assert batch["keypoints"].shape == (count, 16, 3)
        known = ParsingSamples([toy / "toy" / "train"], LABEL_SETS["lip"], KEYPOINT_SETS["lip16"])
        assert set(batch["sample_ids"]) <= {known[index].sample_id for index in range(len(known))}


def test_a_split_without_people_is_named(toy, tmp_path):
    root = tmp_path / "shards"
    shutil.copytree(toy, root)
    write_split(root / "toy" / "val", [], [], kind="samples", keypoint_set="lip16")
    with pytest.raises(DataError, match=r"toy/val: no samples\. Give the split some, or name a data set that has some"):
        run(root, tmp_path, make_params())


def test_gradients_that_are_no_numbers_never_reach_the_weights(toy, tmp_path, monkeypatch):
    gradients = Learner.gradients
    monkeypatch.setattr(Learner, "gradients", lambda self, parts: (gradients(self, parts)[0], float("inf")))
    monkeypatch.setattr(Learner, "update", lambda self, rate: pytest.fail("weights were changed"))
    with pytest.raises(ParamsError, match=r"gradients' norm inf in step 1 "):
        run(toy, tmp_path, make_params())


def test_devices_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"executor\.accelerator: cuda was asked for, and PyTorch finds no GPU"):
        build_fabric("32-true", Executor(accelerator="cuda"))
    with pytest.raises(ParamsError, match=r"train\.precision: 16-mixed needs a GPU"):
        build_fabric("16-mixed", Executor())
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ParamsError, match=r"executor\.devices: 4 GPUs were asked for, and this machine has 2"):
        build_fabric("32-true", Executor(devices=4))
    assert build_fabric("32-true", Executor(accelerator="cpu")).device == torch.device("cpu")
