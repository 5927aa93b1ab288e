"""`hpp label`: bare photos to shards like the pipeline's own, which training reads."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.geometry.affine import transform_points
from pipeline.images import encode_jpeg
from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.shards import open_shards
from stages.cli import main
from tests import builders
from tests.trainer.builders import make_params, write_toy_set
from tests.trainer.photos.builders import scene, write_parser
from trainer.engine import train
from trainer.photos import Parser

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("shards.records_per_shard=2", "shards.row_group=2", "heatmaps.size=[12, 8]", "heatmaps.sigma=1.5")


def label(root, *arguments, code=0, workers=1, settings=()):
    every = [part for one in (*SETTINGS, f"executor.workers={workers}", *settings) for part in ("--set", one)]
    given = ["--params", str(ROOT / "params.yaml"), "--root", str(root), *every, "label", *map(str, arguments)]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Five photos: nobody, one person, three, one in grey, two turned by EXIF; and a parser of LIP's classes."""
    folder = tmp_path_factory.mktemp("label")
    (folder / "album").mkdir()
    grey = cv2.cvtColor(scene(2, 1)[0], cv2.COLOR_RGB2GRAY)
    photos = {
        "grey": cv2.imencode(".jpg", grey)[1].tobytes(),
        "none": encode_jpeg(np.full((90, 120, 3), 128, np.uint8)),
        "one": encode_jpeg(scene(3, 1)[0]),
        "three": encode_jpeg(scene(1, 3)[0]),
        "turned": builders.exif_rotated(encode_jpeg(np.ascontiguousarray(np.rot90(scene(5, 2)[0]))), 6),
    }
    for name, data in photos.items():
        (folder / "album" / f"{name}.jpg").write_bytes(data)
    return folder / "album", write_parser(folder / "parser.pt")


@pytest.fixture(scope="module")
def labelled(album, tmp_path_factory):
    photos, weights = album
    root = tmp_path_factory.mktemp("project")
    out = root / "data/shards/holiday"
    return label(root, photos, "--weights", weights, "--out", out), out


@pytest.fixture(scope="module")
def predicted(album):
    """The parser, and what `predict` says of every photo by its name."""
    parser = Parser.load(album[1])
    photos = sorted(album[0].glob("*.jpg"))
    return parser, {path.stem: parser.predict(builders.decode_jpeg(path.read_bytes())) for path in photos}


def test_every_person_is_a_row_and_every_skip_has_a_reason(labelled, predicted):
    said, out = labelled
    samples = list(open_shards(out / "train"))
    assert {sample.source_id for sample in samples} == {"grey", "one", "three", "turned"}
    expected = [f"{name}_{person.id}" for name, people in predicted[1].items() for person in people]
    assert [sample.sample_id for sample in samples] == expected
    assert sum(sample.source_id == "three" for sample in samples) == 3
    assert json.loads((out / "train/outcomes.jsonl").read_text()) == {"sample_id": "none", "reason": "nobody was found"}
    assert (out / "train/rejects.jsonl").read_text() == "" and "no label: none: nobody was found" in said.output
    assert f"{len(samples)} people of 5 photos" in said.output


def test_labels_belong_to_their_crop_and_name_who_made_them(labelled, predicted):
    shards, (parser, people) = open_shards(labelled[1] / "train"), predicted
    assert shards.manifest.parts == parser.label_set and shards.manifest.keypoints.name == "lip16"
    joints = 0
    for index, sample in enumerate(shards):
        image, mask = sample.decode_image(), sample.decode_mask()
        (person,) = [one for one in people[sample.source_id] if one.id == sample.person]
        x, y = sample.to_source[:, 2].astype(int)
        own = person.parts[y : y + image.shape[0], x : x + image.shape[1]]
        assert np.array_equal(mask[own > 0], own[own > 0]) and set(np.unique(mask[own == 0])) <= {0, 255}
        assert np.array_equal(sample.decode_edge(), edge_map(mask, 3))
        kept = person.keypoints[:, 2] >= 0.2
        np.testing.assert_allclose(sample.keypoints[kept, :2], person.keypoints[kept, :2] - [x, y], atol=1e-4)
        assert (sample.keypoints[:, 2] == np.where(kept, 2, 0)).all() and (sample.keypoints[~kept] == 0).all()
        assert sample.keypoint_origin == tuple(parser.model_id if one else "" for one in kept)
        assert np.array_equal(sample.keypoint_confidence, person.keypoints[:, 2])
        assert (
            sample.provenance["mask"] == parser.model_id and sample.provenance["people"] == parser.detector.teacher_id
        )
        points = sample.keypoints.astype(np.float64)
        points[:, :2] = transform_points(sample.to_heatmap_input, points[:, :2])
        drawn = gaussian_heatmaps(points, (12, 8), 4, 1.5)
        np.testing.assert_allclose(shards.heatmaps(index), drawn, atol=1e-3)
        joints += int(kept.sum())
    assert joints > 0


def test_the_card_says_that_the_labels_are_a_machines(labelled):
    out = labelled[1]
    assert "Labels by machine" in (out / "README.md").read_text(encoding="utf-8")
    sheet = cv2.imread(str(out / "preview.png"))
    assert (
        sheet is not None and sheet.shape[0] > 5 * 260 and sheet.shape[1] > 5 * 190
    )  # image, parts, edges, joints, heatmaps
    assert len(open_shards(out / "val")) == 0


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_photos_give_equal_bytes_whatever_the_workers(album, tmp_path):
    photos, weights = album
    few = [photos / "grey.jpg", photos / "one.jpg"]
    for workers in (1, 2):  # two shards
        out = tmp_path / f"{workers}" / "holiday"
        label(
            tmp_path / f"{workers}", *few, "--weights", weights, "--out", out,
            workers=workers, settings=["shards.records_per_shard=1"],
        )  # fmt: skip
    assert len(list((tmp_path / "1/holiday/train").glob("*.parquet"))) == 2
    assert tree(tmp_path / "1/holiday") == tree(tmp_path / "2/holiday")


def test_training_reads_the_labels_beside_another_set(labelled, album, tmp_path):
    root = labelled[1].parent
    write_toy_set(root)
    params = make_params(datasets=["toy", "holiday"], epochs=1)
    last = train(params, root, tmp_path / "parser.pt", tmp_path / "scratch")
    assert np.isfinite(last["loss"]) and (tmp_path / "parser.pt").is_file()


def test_photos_of_nobody_are_an_empty_set(album, tmp_path):
    out = tmp_path / "out"
    said = label(tmp_path, album[0] / "none.jpg", "--weights", album[1], "--out", out)
    assert "0 people of 1 photos" in said.output and len(open_shards(out / "train")) == 0


def test_no_gpu_is_one_line(album, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    command = (album[0], "--weights", album[1], "--out", tmp_path / "out")
    (line,) = label(tmp_path, *command, code=2, settings=["executor.accelerator=cuda"]).stderr.splitlines()
    assert line.startswith("Error: executor.accelerator: cuda was asked for") and not (tmp_path / "out").exists()


def test_bad_photos_are_left_out_and_foreign_folders_refused(album, tmp_path):
    photos, weights = tmp_path / "photos", album[1]
    photos.mkdir()
    (photos / "bad.jpg").write_bytes(b"\xff\xd8 no photo")
    (photos / "one.jpg").write_bytes((album[0] / "one.jpg").read_bytes())
    out = tmp_path / "out"
    said = label(tmp_path, photos, "--weights", weights, "--out", out, code=2)
    assert said.stderr.splitlines()[-1] == f"Error: 1 of 2 photos could not be used: bad. The others are in {out}"
    assert [sample.source_id for sample in open_shards(out / "train")] == ["one"]
    assert json.loads((out / "train/rejects.jsonl").read_text())["sample_id"] == "bad"
    said = label(tmp_path, photos, "--weights", weights, "--out", photos, code=2)
    assert "holds files, and no label.json of a run before" in said.stderr and len(list(photos.iterdir())) == 2
    (photos / "bad.jpg").unlink()
    label(tmp_path, photos, "--weights", weights, "--out", out)  # ours: replaced
    assert (out / "train/rejects.jsonl").read_text() == ""
