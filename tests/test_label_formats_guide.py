"""docs/label-formats.md: its columns are the shards', its Python runs and reads what stands in the labels."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets.sample.archives import write_archives
from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.rows import SAMPLE_SCHEMA
from tests.stages.test_check import hpp, write_params

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/label-formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose drawn LIP set has gone through all data stages; params.yaml as in the tests of `hpp check`."""
    folder = write_params(tmp_path_factory.mktemp("formats"))
    write_archives("lip", folder / "data/raw/lip", {"train": 3, "val": 2}, 3)
    (folder / "models").mkdir()
    shutil.copyfile(ROOT / "presets/teachers/pose.safetensors", folder / "models/pose.safetensors")
    for stage in ("ingest", "crop", "edges", "pose", "heatmaps", "shard"):
        hpp(folder, stage, "lip")
    return folder


def test_the_columns_are_those_of_the_shards():
    table = GUIDE.split("| column | content |")[1].split("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(SAMPLE_SCHEMA.names)


def test_the_python_of_the_guide_reads_the_labels(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    ours, theirs = {}, {}
    for block, names in zip(BLOCKS, (ours, theirs), strict=True):
        exec(block, names)
    assert "background" in capsys.readouterr().out
    for name in ("mask", "edge"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(ours["edge"], edge_map(ours["mask"]))
    first, heatmaps = ours["first"], ours["heatmaps"]
    on_input = first.keypoints.copy()
    matrix = first.to_heatmap_input
    on_input[:, :2] = first.keypoints[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    drawn = gaussian_heatmaps(on_input, heatmaps.shape[1:], sigma=1.5)
    np.testing.assert_allclose(heatmaps, drawn, atol=1e-3)
    assert ours["v"] in (0, 1, 2)
