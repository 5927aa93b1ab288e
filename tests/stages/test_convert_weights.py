"""`hpp convert-weights`, in a folder without params.yaml."""

from __future__ import annotations

import torch
from click.testing import CliRunner

from stages.cli import main
from tests.trainer.convert.test_convert import mula_checkpoint
from trainer.models import load_model


def convert(folder, *arguments):
    return CliRunner().invoke(main, ["--params", str(folder / "params.yaml"), "convert-weights", *arguments])


def test_checkpoint_becomes_a_model_file(tmp_path):
    mula_checkpoint(tmp_path / "a.pth.tar")
    result = convert(tmp_path, "--from", "mula", str(tmp_path / "a.pth.tar"), str(tmp_path / "a.pt"))
    assert result.exit_code == 0 and "a.pt is a vgg16-fcn-mula for lip and lip16" in result.output
    assert load_model(tmp_path / "a.pt")(torch.zeros(1, 3, 72, 72)).pose[0].shape == (1, 17, 9, 9)


def test_a_file_of_something_else_is_told_in_one_line(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "a.pth")
    result = convert(tmp_path, "--from", "corrpm", str(tmp_path / "a.pth"), str(tmp_path / "a.pt"))
    assert result.exit_code == 2
    assert "a.pth: key 'features.0.weight' is none of the authors' network" in result.output


def test_options_of_another_source_are_refused(tmp_path):
    mula_checkpoint(tmp_path / "a.pth.tar")
    files = (str(tmp_path / "a.pth.tar"), str(tmp_path / "a.pt"))
    result = convert(tmp_path, "--from", "mula", "--input-size", "256x192", *files)
    assert result.exit_code == 2 and "--input-size 256x192: goes with --from simple-baseline" in result.output
    result = convert(tmp_path, "--from", "simple-baseline", "--input-size", "big", *files)
    assert result.exit_code == 2 and "--input-size big: expected height x width, for instance 384x288" in result.output
    result = convert(tmp_path, "--from", "simple-baseline", "--input-size", "256x192", *files)
    assert result.exit_code == 2 and "a.pth.tar: its third layer has 0 blocks" in result.output
