"""`hpp export`: from a folder to shards and back to a folder, and what it says when the user slips."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from pipeline.execution import LocalPool
from pipeline.shards import open_shards
from pipeline.shards.step import run_step
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.pose import annotated_pose_step
from stages.cli import main
from tests import builders

PALETTE = ((0, 0, 0), (250, 10, 10), (10, 250, 10), (10, 10, 250))
NAMES = ["photo 1", "b.v2", "写真", "c.jpg", "d"]


def hpp(project, *arguments, code=0):
    options = ["--params", str(project / "params.yaml"), "--root", str(project)]
    result = CliRunner().invoke(main, [*options, *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def mask_of(seed):
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 2, 3, 255], np.uint8), (6, 4)).repeat(4, 0).repeat(4, 1)
    return mask[: 24 - seed]


@pytest.fixture
def project(tmp_path):
    """A folder of photos (one turned by EXIF, one PNG), its label set, and params.yaml."""
    images = {name: builders.jpeg(24 - seed, 16, seed) for seed, name in enumerate(NAMES)}
    images["b.v2"] = builders.exif_rotated(builders.jpeg(16, 23, 1), 6)
    images["d"] = builders.png(builders.image_pixels(20, 16))
    for seed, (name, data) in enumerate(images.items()):
        ending = "png" if name == "d" else "jpg"
        for kind, end, content in (("images", ending, data), ("masks", "png", builders.png(mask_of(seed)))):
            path = tmp_path / "shop" / kind / f"{name}.{end}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (tmp_path / "shop/train.txt").write_text("d.png\nphoto 1.jpg\n写真.jpg\n", encoding="utf-8")
    (tmp_path / "shop/val.txt").write_text("c.jpg.jpg\nb.v2.jpg\n", encoding="utf-8")
    label_set = {"names": ["background", "top", "left-sleeve", "right-sleeve"], "palette": [list(c) for c in PALETTE]}
    (tmp_path / "clothes.yaml").write_text(yaml.safe_dump(label_set))
    shop = {
        "source": str(tmp_path / "shop"), "layout": "folder", "people": "single", "splits": ["train", "val"],
        "label_set": str(tmp_path / "clothes.yaml"), "keypoint_set": None,
    }  # fmt: skip
    builders.write_params(tmp_path, {"shop": shop})
    return tmp_path


def to_shards(project, dataset):
    """All data stages; in place of the pose teacher, nobody has joints."""
    for stage in ("download", "ingest", "crop", "edges"):
        hpp(project, stage, dataset)
    run_step(
        annotated_pose_step(16, 2), stage_inputs([project / f"data/crops/{dataset}"], ["train", "val"]),
        lambda split, entries: builders.manifest(entries, split=split, keypoint_set="lip16"), ["train", "val"],
        project / f"data/pose/{dataset}", project / "data/scratch", engine=LocalPool(1), max_rejects=0, limit_key="",
        progress=lambda done: None,
    )  # fmt: skip
    for stage in ("heatmaps", "shard"):
        hpp(project, stage, dataset)


def test_folder_to_shards_to_folder_keeps_every_bit(project):
    to_shards(project, "shop")
    out = project / "back"
    told = hpp(project, "export", "shop", "--format", "folder", "--out", str(out)).stdout
    assert told == f"{out}: 3 train, 2 val samples of shop, layout folder\n"
    for folder in ("images", "masks"):
        given = {path.name: path.read_bytes() for path in (project / "shop" / folder).iterdir()}
        assert {path.name: path.read_bytes() for path in (out / folder).iterdir()} == given and len(given) == 5
    for name in ("train.txt", "val.txt"):
        assert (out / name).read_bytes() == (project / "shop" / name).read_bytes()
    # The export's own entry, as it stands, makes the same shards again.
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["datasets"] |= yaml.safe_load((out / "entry.yaml").read_text(encoding="utf-8"))
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    to_shards(project, "shop-export")
    for split in ("train", "val"):
        first, second = (open_shards(project / "data/shards" / name / split) for name in ("shop", "shop-export"))
        assert second.manifest.parts == first.manifest.parts and len(first) == len(second) > 1
        for one, other in zip(first, second, strict=True):
            assert (one.sample_id, one.image, one.edge) == (other.sample_id, other.image, other.edge)
            assert np.array_equal(one.decode_mask(), other.decode_mask())


def test_single_splits_and_progress(project):
    to_shards(project, "shop")
    result = hpp(
        project, "--no-progress", "export", "shop", "--format", "coco", "--out", str(project / "c"), "--split", "val"
    )
    assert result.stderr.splitlines() == ["export shop: 1/2 samples", "export shop: 2/2 samples"]
    assert "2 val samples of shop, layout coco" in result.stdout
    # One photo is turned by EXIF; tools differ in whether they turn it back.
    assert "images encoded anew, upright and in plain RGB: 1 " in result.stdout
    assert json.loads((project / "c/export.json").read_text())["splits"].keys() == {"val"}
    both = ["--split", "val", "--split", "train"]
    hpp(project, "export", "shop", "--format", "webdataset", "--out", str(project / "w"), *both)
    assert sorted(path.name for path in (project / "w").glob("*.tar")) == ["train-000000.tar", "val-000000.tar"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--format", "schp", "--out", "{}/new"], "--format schp: the tool's code swaps the ids 14-15, 16-17, 18-19"),
        (["--format", "folder", "--out", "{}/shop"], "shop: is there already and not empty. Name a new folder"),
        (["--format", "folder", "--out", "{}/new", "--split", "test"], "--split test: shop has train, val"),
        (["--format", "voc", "--out", "{}/new"], "'voc' is not one of 'folder', 'coco'"),
        (["--format", "coco"], "Missing option '--out'"),
    ],
)
def test_slips_are_told_in_one_line_and_leave_nothing(project, arguments, message):
    to_shards(project, "shop")
    before = sorted(project.rglob("*"))
    result = hpp(project, "-q", "export", "shop", *(one.format(project) for one in arguments), code=2)
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ") and message in line
    assert sorted(project.rglob("*")) == before


def test_without_shards_it_says_what_to_run(project):
    result = hpp(project, "-q", "export", "shop", "--format", "coco", "--out", str(project / "new"), code=2)
    assert "data/shards/shop/train/manifest.json: not found" in result.stderr
    result = hpp(project, "-q", "export", "imagenet", "--format", "coco", "--out", str(project / "new"), code=2)
    assert "DATASET: 'imagenet' is not in params.yaml; it has shop" in result.stderr
    assert not Path(project / "new").exists()
