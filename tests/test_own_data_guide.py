"""docs/own-data.md, followed word for word: what it shows works."""

import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.datasets.layout import read_item
from pipeline.shards.read import open_shards
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, keypoint_set, label_set
from stages.cli import main
from tests import builders

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 7


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the guide's photos, its label set, and params.yaml with its entry."""
    (tmp_path / "data/label_sets").mkdir(parents=True)
    (tmp_path / "data/label_sets/shop.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shop = label_set("data/label_sets/shop.yaml")
    for number in range(4):
        mask = builders.png(shop.palette[MASK] if number % 2 else MASK)
        for kind, name, data in (("images", "jpg", builders.jpeg(seed=number)), ("masks", "png", mask)):
            path = tmp_path / "shop" / kind / f"photo {number}.{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["datasets"] |= yaml.safe_load(blocks("yaml")[1])
    params["datasets"]["shop"]["source"] = "shop"
    params["executor"]["workers"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return tmp_path


def hpp(*arguments):
    done = CliRunner().invoke(main, ["-q", *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def test_a_folder_of_photos_becomes_crops_with_edges(project):
    for stage in ("download", "ingest", "crop", "edges"):
        hpp(stage, "shop")
    splits = {split: open_shards(project / "data/crops/shop" / split) for split in ("train", "val")}
    assert {split: len(shards) for split, shards in splits.items()} == {"train": 3, "val": 1}
    for shards in splits.values():
        assert shards.manifest.parts == label_set("data/label_sets/shop.yaml")
        for sample in shards:
            assert np.array_equal(sample.decode_mask(), MASK) and sample.sample_id.startswith("photo ")
    metrics = json.loads((project / "metrics/ingest/shop.json").read_text())
    assert metrics["source"]["split"] == "drawn by seed 1" and metrics["source"]["images"] == 4
    assert metrics["train"]["people"] + metrics["val"]["people"] == 4


def test_every_key_that_dvc_reads_stands_in_the_entry():
    (entry,) = yaml.safe_load(blocks("yaml")[1]).values()
    read = re.findall(r"- datasets\.\$\{key\}\.(\w+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert set(read) <= set(entry)


def test_the_guides_keypoint_set_and_map_are_right(tmp_path):
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[-1], encoding="utf-8")
    assert len(keypoint_set(str(tmp_path / "mine.yaml"))) == 5
    renamed = yaml.safe_load(blocks("yaml")[2])["train"]["label_maps"]["shop"]
    shop = (tmp_path / "shop.yaml", blocks("yaml")[0])
    shop[0].write_text(shop[1], encoding="utf-8")
    lut = label_set(str(shop[0])).lut_to(LABEL_SETS["lip"], renamed)
    assert lut[:7].tolist() == [0, 2, 13, 5, 9, 18, 19]


def test_the_guides_reader_reads(tmp_path):
    module = ModuleType("closet")
    exec(blocks("python")[0], module.__dict__)
    members = [("c/photos/b 1.jpg", builders.jpeg()), ("c/parts/b 1.png", builders.png(MASK))]
    builders.write_zip(tmp_path / "c.zip", [*members, ("c/index.csv", b"b 1,train\n")])
    archives = Archives(tmp_path)
    (item,) = module.CLOSET.items(archives, "train")
    record = read_item(archives, item, "closet", "train", LABEL_SETS["lip"], module.CLOSET.labels)
    assert np.array_equal(record.decode_mask(), MASK) and len(record.people) == 1
    assert module.CLOSET.items(archives, "val") == []
