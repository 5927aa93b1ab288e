"""`hpp export-model`, in a folder without params.yaml."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from stages.cli import main
from tests.trainer.builders import make_params
from trainer.checkpoints import write_model
from trainer.engine.training import fresh_network, make_card

pytest.importorskip("onnxruntime")


def export(folder, *arguments):
    return CliRunner().invoke(main, ["--params", str(folder / "params.yaml"), "export-model", *arguments])


def test_a_parser_becomes_an_onnx_file(tmp_path):
    card = make_card(make_params(model="fcn-8s", input_size=[64, 32]))
    write_model(tmp_path / "a.pt", card, fresh_network(card, 0).state_dict())
    out = tmp_path / "new" / "a.onnx"
    result = export(tmp_path, "--weights", str(tmp_path / "a.pt"), "--format", "onnx", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert f"{out}: gives parsing (N, 20, 8, 4); equal to torch's outputs in onnxruntime" in result.output
    assert [path.name for path in out.parent.iterdir()] == ["a.onnx"]


def test_a_file_of_something_else_is_told_in_one_line(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
    result = export(tmp_path, "--weights", str(tmp_path / "a.pt"), "--format", "onnx", "--out", str(tmp_path / "b"))
    assert result.exit_code == 2 and "a.pt: not a model file" in result.output
    result = export(tmp_path, "--weights", str(tmp_path / "b.pt"), "--format", "onnx", "--out", str(tmp_path / "b"))
    assert result.exit_code == 2 and "b.pt: not found" in result.output
