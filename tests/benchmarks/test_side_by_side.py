"""The plain forms that speed is measured against do the same work: equal numbers, at toy sizes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.benchmarks.loading import load_script
from tests.trainer.builders import make_sample, write_shards
from trainer.models import build_model

measuring = load_script("measuring")
load_script("labels")
metrics, attention, convolution = load_script("metrics"), load_script("attention"), load_script("dynamic_convolution")
network = load_script("network")


@pytest.fixture(autouse=True)
def one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called three times in a row for its time."""
    monkeypatch.setattr(measuring, "_IN_A_ROW", 1)


def test_the_plain_scorers_give_the_projects_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "IMAGES", 3)
    lines, details = metrics.measure(metrics.plain_confusion, metrics.plain_ap, 1)
    assert [line.target for line in lines] == [5, 30] and 20 < details["part AP, percent"] < 90
    with pytest.raises(SystemExit, match="confusion matrix: the numbers differ"):
        metrics.measure(lambda truth, guess: np.zeros((20, 20)), metrics.plain_ap, 1)
    with pytest.raises(SystemExit, match="part AP: "):
        metrics.measure(metrics.plain_confusion, lambda folder, names: 0.0, 1)


def test_the_written_out_block_gives_the_projects_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "SIDE", 8)
    monkeypatch.setattr(attention, "CHANNELS", 16)
    monkeypatch.setattr(attention, "peak_mb", lambda form, variant: {"ours": 1.0, "written out": 4.0}[form])
    for variant in ("official", "paper"):
        lines, _ = attention.measure(variant, "cpu", 1)
        assert lines[-1].figure == 0.25 and all(line.figure > 0 for line in lines)
    monkeypatch.setitem(attention.FORMS, "written out", lambda queries, keys, values: queries)
    with pytest.raises(SystemExit, match="outputs differ"):
        attention.measure("official", "cpu", 1)


def test_the_loop_gives_the_grouped_convolutions_outputs_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(convolution.SIZES, "VGG16", (8, 9, 3))
    lines, _ = convolution.measure("VGG16", "cpu", 1)
    assert len(lines) == 2
    monkeypatch.setitem(convolution.FORMS, "loop", lambda features, kernels: features * kernels.sum())
    with pytest.raises(SystemExit, match="outputs or gradients differ"):
        convolution.measure("VGG16", "cpu", 1)


def test_a_fitted_network_is_measured_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of benchmarks/network.py with a narrow network on toy shards."""
    shards = write_shards(tmp_path / "train", [make_sample(number) for number in range(12)])
    narrow = {"backbone": "resnet18_slim", "channels": 16, "dilations": (1, 2, 3)}
    monkeypatch.setattr(network, "build_model", lambda *names: build_model(*names, **narrow))
    monkeypatch.setattr(network, "SIDE", 64)
    monkeypatch.setattr(network, "FIT_SIDE", 32)
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["network.py", "--shards", str(shards), "--fit-steps", "2", "--rounds", "1"])
    monkeypatch.setattr(network.os, "sched_getaffinity", lambda process: {0})  # threads only wait for each other here
    threads = torch.get_num_threads()
    try:
        network.main()
    finally:
        torch.set_num_threads(threads)
    told = json.loads((tmp_path / "network.json").read_text())
    figures = {line["what"]: line["figure"] for line in told["lines"]}
    assert figures["prepared, all heads: labels as the plain form's"] == 100
    assert figures["CorrPM 384 x 384, prepared, parsing alone: as fast as the plain form"] > 0
    assert told["details"]["fit steps"] == 2 and told["details"]["GPU"]


def test_a_training_step_in_half_precision_is_measured(tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "train", [make_sample(number) for number in range(2)])
    samples = network.ParsingSamples([shards], network.LABELS, network.JOINTS)
    narrow = build_model("corrpm", 20, 16, backbone="resnet18_slim", channels=16, dilations=(1, 2, 3))
    (line,), details = network.training_lines(narrow, network.batch_of(samples, [0, 1], 32), 1, 1.7)
    assert line.target == 1.7 and line.figure > 0 and details["training, bf16, samples per s"] > 0
