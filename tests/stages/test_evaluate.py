"""The graph from archives to an evaluation, by `hpp`: MuLA on LIP, people of CIHP put back, submissions, comparisons."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.shards import open_shards
from stages.cli import main
from tests.trainer.protocols.conftest import noisy, truth
from trainer import evaluate as evaluate_module
from trainer.metrics import ParsingMetrics, instance_part_ap
from trainer.protocols.cihp import THRESHOLDS

ROOT = Path(__file__).resolve().parents[2]
IMAGES = {"lip": {"train": 6, "val": 4}, "cihp": {"train": 4, "val": 3}}
CIHP = {
    "train.datasets": ["cihp"],
    "train.label_set": "cihp",
    "train.keypoint_set": "coco17",
    "evaluate.protocol": "cihp",
}
MULA = {"train.model": "hg-1s-1u-mula", "heatmaps.convention": "mula", "heatmaps.size": [16, 16]}


def hpp(root: Path, *arguments: str, code: int = 0, **settings: object) -> Result:
    options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    result = CliRunner().invoke(
        main, ["--params", str(root / "params.yaml"), "--root", str(root), *options, *map(str, arguments)]
    )
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml of tiny settings, and a few drawn people of LIP and CIHP down to their shards."""
    root = tmp_path_factory.mktemp("shards")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, images in IMAGES.items():
        params["datasets"][name]["images"] = images
    params["executor"] = {"workers": 1}
    params["detector"]["backend"] = "annotated"
    params["crop"]["min_area"] = 0
    params["shards"] = {"records_per_shard": 2, "row_group": 2}
    params["heatmaps"]["size"] = [16, 16]
    params["train"].update(input_size=[64, 64], channels=8, epochs=1, batch_size=4, warmup_steps=0, threads=1)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (root / "models").mkdir()
    shutil.copy(ROOT / "presets/teachers/pose.safetensors", root / "models")
    for name in IMAGES:
        for stage in ("download", "ingest", "crop", "edges", "pose", "heatmaps", "shard"):
            hpp(root, stage, name)
    return root


@pytest.fixture
def own(shards: Path, tmp_path: Path) -> Path:
    """The same records and shards, with models and metrics of its own."""
    root = tmp_path / "own"
    (root / "data").mkdir(parents=True)
    for name in ("ingest", "shards"):
        (root / "data" / name).symlink_to(shards / "data" / name)
    shutil.copy(shards / "params.yaml", root)
    return root


@pytest.fixture(scope="module")
def cihp(shards: Path) -> dict:
    """The evaluation of a parser trained on CIHP's people."""
    hpp(shards, "train", **CIHP)
    result = hpp(shards, "evaluate", **CIHP)
    assert "cihp val: 3 images, protocol cihp" in result.output and "apr 50" in result.output
    return json.loads((shards / "metrics/evaluate.json").read_text())


def test_mula_runs_through(own: Path) -> None:
    settings = {**MULA, "evaluate.flip": True}
    hpp(own, "train", **settings)
    assert "lip val: 4 people, protocol lip, flip on" in hpp(own, "evaluate", **settings).output
    judged = json.loads((own / "metrics/evaluate.json").read_text())
    assert judged["scores"]["pckh_mean"] is not None and len(judged["iou"]) == 20
    assert "mean iou" in hpp(own, "results").output


def test_people_of_cihp_are_put_back_and_judged_in_their_images(shards: Path, cihp: dict) -> None:
    people = len(open_shards(shards / "data/shards/cihp/val"))
    assert people > IMAGES["cihp"]["val"]
    protocol = cihp["protocol"]
    assert (protocol["name"], protocol["unit"], protocol["images"]) == ("cihp", "images", 3)
    assert {"apr_50", "apr_60", "apr_70", "apr_mean", "official_apr_50"} <= set(cihp["scores"])
    assert 0 < cihp["scores"]["mean_iou"] < 100


def test_the_truth_as_answer_scores_100_on_whole_images(shards: Path, own: Path, cihp: dict, monkeypatch) -> None:
    monkeypatch.setattr(
        evaluate_module,
        "parse_all",
        lambda parser, batches, fill: ((item, truth(item)) for items in batches for item in items),
    )
    (own / "models").mkdir()
    shutil.copy(shards / "models/parser.pt", own / "models")
    hpp(own, "evaluate", **CIHP)
    judged = json.loads((own / "metrics/evaluate.json").read_text())
    scores = judged["scores"]
    assert {scores[name] for name in ("pixel_accuracy", "mean_iou", "apr_50", "apr_mean")} == {100}
    occurring = sum(value is not None for value in judged["iou"].values()) - 1
    assert scores["official_apr_mean"] == pytest.approx(100 * occurring / 19, abs=1e-4)


def png(file: Path) -> np.ndarray:
    return cv2.imread(str(file), cv2.IMREAD_UNCHANGED)


def test_cihp_s_files_hold_what_was_judged(shards: Path, own: Path, cihp: dict, tmp_path: Path, monkeypatch) -> None:
    (own / "models").mkdir()
    shutil.copy(shards / "models/parser.pt", own / "models")
    monkeypatch.setattr(
        evaluate_module,
        "parse_all",
        lambda parser, batches, fill: ((item, noisy(item)) for items in batches for item in items),
    )
    hpp(own, "evaluate", **CIHP)
    before = (own / "metrics/evaluate.json").read_bytes()
    hpp(own, "evaluate", "--submission", tmp_path / "results", **CIHP)
    assert (own / "metrics/evaluate.json").read_bytes() == before
    judged = json.loads(before)["scores"]
    pixels, found, true = ParsingMetrics(20), [], []
    for record in open_shards(shards / "data/ingest/cihp/val"):
        parts = png(tmp_path / "results/global_parsing" / f"{record.sample_id}.png")
        ids = png(tmp_path / "results/instance_parsing" / f"{record.sample_id}.png")
        lines = (tmp_path / "results/instance_parsing" / f"{record.sample_id}.txt").read_text().splitlines()
        rows = [(int(part), float(score)) for part, score in map(str.split, lines)]
        assert parts.shape == ids.shape == (record.height, record.width) and ids.max() == len(rows)
        pixels.update(parts, record.decode_mask())
        masks = ids == np.arange(1, len(rows) + 1)[:, None, None]
        assert all((parts[mask] == part).all() for mask, (part, _) in zip(masks, rows, strict=True))
        classes, scores = (np.array([row[n] for row in rows]) for n in (0, 1))
        found.append({"masks": masks, "classes": classes.astype(int), "scores": scores})
        key = record.decode_people().astype(int) * 20 + record.decode_mask()
        values = [value for value in np.unique(key) if value % 20]
        masks = np.array([key == value for value in values]).reshape(-1, *key.shape)
        true.append({"masks": masks, "classes": np.array([value % 20 for value in values], int)})
    assert pixels.compute()["mean_iou"] == pytest.approx(judged["mean_iou"], abs=1e-4)
    assert 1 < judged["apr_mean"] < 99
    for name, official in (("apr", False), ("official_apr", True)):
        from_files = instance_part_ap(found, true, THRESHOLDS, 20, official)
        assert from_files["mean"] == pytest.approx(judged[f"{name}_mean"], abs=0.01)
        assert from_files["ap"][0.5] == pytest.approx(judged[f"{name}_50"], abs=0.01)


def test_lip_s_files(own: Path, tmp_path: Path) -> None:
    hpp(own, "train")
    hpp(own, "evaluate", "--submission", tmp_path / "lip")
    records = list(open_shards(own / "data/ingest/lip/val"))
    for record in records:
        parts = png(tmp_path / "lip/parsing" / f"{record.sample_id}.png")
        assert parts.shape == (record.height, record.width) and parts.max() < 20
    rows = list(csv.reader((tmp_path / "lip/pose.csv").open()))
    assert [row[0] for row in rows] == [f"{record.sample_id}.jpg" for record in records]
    assert all(len(row) == 33 and all(value.lstrip("-").isdecimal() for value in row[1:]) for row in rows)
    maps = hpp(own, "evaluate", "--submission", tmp_path / "atr", **{"evaluate.protocol": "atr"})
    assert "4 images, as atr takes them" in maps.output and len(list((tmp_path / "atr").iterdir())) == 4
    refused = hpp(own, "evaluate", "--submission", tmp_path / "lip", code=2).output
    assert "lip: not an empty folder" in refused


def test_coco_s_file_and_names_that_are_no_numbers(shards: Path, own: Path, cihp: dict, tmp_path: Path) -> None:
    settings = {**CIHP, "evaluate.protocol": "coco"}
    (own / "models").mkdir()
    shutil.copy(shards / "models/parser.pt", own / "models")
    hpp(own, "evaluate", "--submission", tmp_path / "coco", **settings)
    entries = json.loads((tmp_path / "coco/keypoints_results.json").read_text())
    assert len(entries) == len(open_shards(shards / "data/shards/cihp/val"))
    assert {entry["image_id"] for entry in entries} == {
        int(record.sample_id) for record in open_shards(shards / "data/ingest/cihp/val")
    }
    assert all(len(entry["keypoints"]) == 51 and 0 <= entry["score"] <= 1.5 for entry in entries)
    refused = hpp(
        shards, "evaluate", "--submission", tmp_path / "lip", code=2, **{**settings, "train.datasets": ["lip"]}
    )
    assert "COCO's server takes whole numbers" in refused.output and not (tmp_path / "lip").exists()
