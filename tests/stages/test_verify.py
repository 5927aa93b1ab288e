"""`hpp verify`: whole outputs pass, every kind of damage is told by the file's name."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tests.pipeline.shards.test_read import write_samples
from tests.stages.test_check import hpp, write_params


@pytest.fixture
def project(tmp_path):
    write_samples(tmp_path / "data")
    (tmp_path / "models").mkdir()
    torch.save({"weights": {"a": torch.arange(2000.0)}}, tmp_path / "models/parser.pt")
    save_file({"a": np.arange(2000.0)}, tmp_path / "models/pose.safetensors")
    return write_params(tmp_path)


def flip(file, place):
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def shard(project):
    return project / "data/shards/toy/train/part-00000.parquet"


def heatmaps(project):
    return project / "data/heatmaps/toy/train"


def changed_manifest(project):
    file = heatmaps(project) / "manifest.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"remarks": ["other"]}))


DAMAGES = {
    "a flipped bit": (lambda project: flip(shard(project), 100), r"part-00000.parquet: SHA-256 is .* its manifest says"),
    "cut off": (lambda project: shard(project).write_bytes(b"PAR1"), r"part-00000.parquet: 4 bytes, its manifest says"),
    "missing": (lambda project: shard(project).unlink(), r"part-00000.parquet: is missing"),
    "foreign": (lambda project: shutil.copy(shard(project), shard(project).with_name("x.parquet")), r"x.parquet: not in manifest"),
    "heatmaps": (lambda project: flip(heatmaps(project) / "part-00001.npz", 60), r"part-00001.npz: SHA-256 is"),
    "no heatmaps": (lambda project: shutil.rmtree(heatmaps(project)), r"points at heatmaps in .* not there"),
    "other heatmaps": (changed_manifest, r"manifest.json: not the heatmaps that .* was made with"),
    "manifest": (lambda project: (shard(project).parent / "manifest.json").write_text("{"), r"no readable JSON"),
    "model": (lambda project: flip(project / "models/parser.pt", 1500), r"parser.pt: "),
    "teacher": (lambda project: (project / "models/pose.safetensors").write_bytes(b"1" * 50), r"pose.safetensors: no whole"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_told_by_the_files_name(project, kind):
    damage, told = DAMAGES[kind]
    damage(project)
    result = hpp(project, "verify", str(project), code=2)
    lines = [line for line in result.stderr.splitlines() if not line.startswith("verify:")]
    assert len(lines) == 2 and "1 of its files are damaged" in lines[1]
    assert re.search(told, lines[0]), lines[0]


def test_whole_outputs_pass_as_a_folder_a_split_or_a_file(project):
    assert "2 folders of shards, 2 checkpoints: all whole" in hpp(project, "verify", str(project)).stdout
    assert "1 folders of shards" in hpp(project, "verify", str(shard(project).parent)).stdout
    assert "0 folders of shards, 1 checkpoints" in hpp(project, "verify", str(project / "models/parser.pt")).stdout


def test_a_place_with_nothing_to_verify_is_told(project):
    (project / "empty").mkdir()
    assert "holds no manifest.json" in hpp(project, "verify", str(project / "empty"), code=2).stderr
    assert "no such file or folder" in hpp(project, "verify", str(project / "nowhere"), code=2).stderr
