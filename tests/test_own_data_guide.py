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
from pipeline.params import load_params
from pipeline.shards.read import open_shards
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, keypoint_set, label_set, read_label_map
from stages.cli import main
from tests import builders

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 7


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def block(begin):
    """The guide's block of YAML that begins so."""
    (found,) = [text for text in blocks("yaml") if text.startswith(begin)]
    return found


NAMES, PALETTE, ENTRY, TRAIN = "names:\n", "names: [background", "  shop:\n    source: /home/me/shop  ", "train:"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with params.yaml, and the guide's photos beside it."""
    project = tmp_path / "project"
    project.mkdir()
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(params.replace("workers: 0", "workers: 1", 1), encoding="utf-8")
    for number in range(4):
        for kind, name, data in (("images", "jpg", builders.jpeg(seed=number)), ("masks", "png", builders.png(MASK))):
            path = tmp_path / "shop" / kind / f"photo {number}.{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    monkeypatch.chdir(project)
    return project


def hpp(*arguments):
    done = CliRunner().invoke(main, ["--no-progress", *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def crops(project):
    for stage in ("download", "ingest", "crop", "edges"):
        hpp(stage, "shop")
    return {split: open_shards(project / "data/crops/shop" / split) for split in ("train", "val")}


def test_a_folder_of_photos_becomes_crops_with_edges(project):
    told = hpp("init-dataset", "../shop")
    for line in re.search(r"```\n(found: .*?)```", GUIDE, re.DOTALL)[1].replace("40", "4").splitlines():
        assert line.removesuffix(" ...") in told
    Path("data/label_sets/shop.yaml").write_text(block(NAMES), encoding="utf-8")
    splits = crops(project)
    assert {split: len(shards) for split, shards in splits.items()} == {"train": 3, "val": 1}
    for shards in splits.values():
        assert shards.manifest.parts == label_set("data/label_sets/shop.yaml")
        for sample in shards:
            assert np.array_equal(sample.decode_mask(), MASK) and sample.sample_id.startswith("photo ")
    metrics = json.loads((project / "metrics/ingest/shop.json").read_text())
    assert metrics["source"]["split"] == "drawn by seed 1" and metrics["source"]["images"] == 4
    assert metrics["train"]["people"] + metrics["val"]["people"] == 4


def test_the_first_mask_of_the_guides_listing_is_the_one_that_it_names(project):
    hpp("init-dataset", "../shop")
    written = Path("data/label_sets/shop.yaml").read_text(encoding="utf-8").splitlines()
    (shown,) = [line for line in block(NAMES).splitlines() if "background" in line]
    assert re.fullmatch(re.sub(r"\d+", r"\\d+", re.escape(shown)).replace(r"photo\ \d+", r"photo \d+"), written[2])


def test_masks_in_the_colours_of_the_guides_palette_are_read(project):
    hpp("init-dataset", "../shop")
    Path("data/label_sets/shop.yaml").write_text(block(PALETTE), encoding="utf-8")
    shop = label_set("data/label_sets/shop.yaml")
    for number in (1, 3):
        Path(f"../shop/masks/photo {number}.png").write_bytes(builders.png(shop.palette[MASK]))
    for shards in crops(project).values():
        assert all(np.array_equal(sample.decode_mask(), MASK) for sample in shards)


def test_the_entry_of_the_guide_is_the_one_that_is_written(project):
    hpp("init-dataset", "../shop")
    (shown,) = yaml.safe_load(block(ENTRY)).values()
    (written,) = [
        one for name, one in yaml.safe_load(Path("params.yaml").read_text())["datasets"].items() if name == "shop"
    ]
    assert list(shown.items())[1:] == list(written.items())[1:]
    read = re.findall(r"- datasets\.\$\{key\}\.(\w+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    assert set(read) <= set(shown)


def test_a_changed_folder_is_brought_again_by_the_guides_line(project):
    """The line forces download; what dvc then runs finds the new photo."""
    hpp("init-dataset", "../shop")
    crops(project)
    for kind, name, data in (("images", "jpg", builders.jpeg(seed=9)), ("masks", "png", builders.png(MASK))):
        Path(f"../shop/{kind}/photo 9.{name}").write_bytes(data)
    assert sum(len(shards) for shards in crops(project).values()) == 5


def test_labelme_files_become_crops(project):
    shapes = [
        {
            "label": label,
            "points": [[x, 0], [x + 4, 0], [x + 4, 12], [x, 12]],
            "shape_type": "polygon",
            "group_id": None,
        }
        for x, label in ((0, "hair"), (4, "face"))
    ]
    for number in range(2):
        path = Path(f"../faces/photo {number}.jpg")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(builders.jpeg(seed=number))
        content = {"shapes": shapes, "imagePath": path.name, "imageData": None, "imageHeight": 12, "imageWidth": 8}
        path.with_suffix(".json").write_text(json.dumps(content))
    hpp("init-dataset", "../faces", "--name", "shop")
    section = load_params(Path("params.yaml")).dataset("shop")
    assert section.layout == "labelme" and section.parts.part_names == ("background", "face", "hair")
    expected = np.repeat([[2] * 4 + [1] * 4], 12, axis=0)
    for shards in crops(project).values():
        assert len(shards) == 1 and np.array_equal(shards[0].decode_mask(), expected)


def test_the_guides_keypoint_set_and_map_are_right(tmp_path):
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[-1], encoding="utf-8")
    assert len(keypoint_set(str(tmp_path / "mine.yaml"))) == 5
    renamed = yaml.safe_load(block(TRAIN))["train"]["label_maps"]["shop"]
    for text in (block(NAMES), block(PALETTE)):
        (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
        lut = label_set(str(tmp_path / "shop.yaml")).lut_to(LABEL_SETS["lip"], renamed)
        assert lut[:7].tolist() == [0, 2, 13, 5, 9, 18, 19]
    (tmp_path / "shop-to-lip.yaml").write_text(block("top: upper"), encoding="utf-8")
    assert read_label_map(tmp_path / "shop-to-lip.yaml") == renamed


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
