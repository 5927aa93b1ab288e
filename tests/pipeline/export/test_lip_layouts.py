"""SCHP, CorrPM, CIHP_PGN, openseg/HRNet and MMSegmentation: listed by the rule of each tool, every sample comes out as it went in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.lip_json import parse_pose_json
from pipeline.errors import DataError, ParamsError
from pipeline.export.pgn import person_borders
from pipeline.images import encode_png
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, KeypointSet, LabelSet
from tests import builders
from tests.pipeline.export.builders import (
    IDS,
    exported,
    ids_by_stem,
    part_mask,
    read_ids,
    read_image,
    sample,
    samples,
)

SHOP = LabelSet("shop", ("background", "top", "left-sleeve", "right-sleeve"))


def lip_listing(root, split):
    """SCHP, CE2P and CorrPM: stripped lines of <split>_id.txt, fixed folders and endings."""
    with open(root / f"{split}_id.txt", encoding="utf-8") as lines:
        for line in lines:
            name = line.strip()
            yield name, root / f"{split}_images" / f"{name}.jpg", root / f"{split}_segmentations" / f"{name}.png"


def pgn_listing(root, split):
    """CIHP_PGN: lines split at spaces, paths appended to the folder's; edges by the list of ids, line by line."""
    triples = (root / f"list/{split}_rev.txt").read_text(encoding="utf-8").split("\n")
    edges = (root / f"list/{split}_id.txt").read_text(encoding="utf-8").split("\n")
    for triple, edge in zip(triples, edges, strict=True):
        image, label, reverse = (str(root) + path for path in triple.split(" "))
        yield image, label, reverse, f"{root}/edges/{edge}.png"


def openseg_listing(root, split):
    """openseg: the files of label/, the image's ending being that of the first image."""
    ending = sorted((root / split / "image").iterdir())[0].name.split(".")[-1]
    for label in sorted((root / split / "label").iterdir()):
        name = ".".join(label.name.split(".")[:-1])
        yield name, root / split / "image" / f"{name}.{ending}", label, root / split / "edge" / label.name


def mmseg_listing(root, split):
    """MMSegmentation without a list: every .jpg, `.jpg` replaced by `.png` wherever it stands."""
    for image in sorted((root / f"{split}_images").iterdir()):
        label = image.name.replace(".jpg", ".png")
        yield label.removesuffix(".png"), image, root / f"{split}_segmentations" / label


def check(found, content, out):
    """Every sample once, image and mask as they were."""
    ids, wanted = ids_by_stem(out), {one.sample_id: one for one in content}
    for stem, image, label in found:
        one = wanted.pop(ids[stem])
        assert np.array_equal(read_image(image), one.decode_image())
        assert np.array_equal(read_ids(label), one.decode_mask())
        assert np.array_equal(np.array(Image.open(label)), one.decode_mask())
    assert wanted == {}


@pytest.mark.parametrize(
    "form, listing, inner",
    [("schp", lip_listing, ""), ("corrpm", lip_listing, "images_labels"), ("mmseg", mmseg_listing, "")],
)
@pytest.mark.parametrize("split", IDS)
def test_lip_folders_give_every_sample(tmp_path, form, listing, inner, split):
    content = samples()
    out = exported(tmp_path, form, content)
    check(listing(out / inner, split), content[split], out)
    assert (out / inner / f"{split}_id.txt").read_text(encoding="utf-8").count("\n") == len(content[split])


@pytest.mark.parametrize("form", ["schp", "corrpm", "mmseg"])
def test_the_test_split_needs_no_masks_the_others_do(tmp_path, form):
    out = exported(tmp_path, form, {"test": [sample("t", split="test", mask=None, edge=None)]})
    root = out / "images_labels" if form == "corrpm" else out
    assert (root / "test_images/t.jpg").is_file() and (root / "test_id.txt").read_text() == "t\n"
    with pytest.raises(DataError, match=rf"toy/val: sample 'v' has no part mask, and --format {form} holds one"):
        exported(tmp_path / "b", form, {"val": [sample("v", split="val", mask=None, edge=None)]})


@pytest.mark.parametrize("form", ["schp", "corrpm", "pgn", "openseg"])
@pytest.mark.parametrize(
    "parts, message",
    [
        (LABEL_SETS["atr"], r"swaps the ids 14-15, 16-17, 18-19 .* label set 'atr' swaps 9-10, 12-13, 14-15\. Map"),
        (SHOP, r"label set 'shop' swaps 2-3\. Map"),
        (LABEL_SETS["mhp"], r"label set 'mhp' has 59 classes, the tool's code is made for 20\. Map"),
        (LabelSet("sideless", tuple(f"part{i}" for i in range(20))), r"label set 'sideless' swaps none"),
    ],
)
def test_label_sets_that_would_be_mirrored_wrongly_are_refused(tmp_path, form, parts, message):
    with pytest.raises(ParamsError, match=rf"^--format {form}: .*{message}"):
        exported(tmp_path, form, samples(pixels=part_mask(0, (24, 20), 3)), parts=parts)
    assert not (tmp_path / f"{form}-out").exists()


@pytest.mark.parametrize("form", ["schp", "corrpm", "pgn", "openseg"])
@pytest.mark.parametrize("name", ["lip", "cihp", "pascal", "person"])
def test_label_sets_that_are_mirrored_rightly_pass(tmp_path, form, name):
    one = sample("a", pixels=part_mask(0, (24, 20), len(LABEL_SETS[name])))
    assert (exported(tmp_path, form, {"train": [one]}, parts=LABEL_SETS[name]) / "export.json").is_file()


# CorrPM


def corrpm_joints(out, split):
    """CorrPM: name up to the first dot -> the first two columns of joint_self; a joint whose x + y is 0 is missing."""
    table = json.loads((out / f"TrainVal_pose_annotations/LIP_SP_{split.upper()}_annotations.json").read_text())
    joints = {item["im_name"].split(".")[0]: np.array(item["joint_self"])[:, 0:2] for item in table["root"]}
    return {name: (points, points.sum(axis=1) != 0) for name, points in joints.items()}


@pytest.mark.parametrize("split", IDS)
def test_corrpm_finds_the_joints_of_every_sample(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "corrpm", content)
    ids, found = ids_by_stem(out), corrpm_joints(out, split)
    assert len(found) == len(content[split])
    wanted = {one.sample_id: one.keypoints for one in content[split]}
    for stem, image, _ in lip_listing(out / "images_labels", split):
        points, visible = found[stem]
        truth = wanted[ids[stem]]
        assert image.is_file() and points.shape == (16, 2)
        assert np.array_equal(visible, truth[:, 2] > 0) and 0 < visible.sum() < 16
        np.testing.assert_allclose(points[visible], truth[visible, :2], atol=1e-4)


def test_our_own_reader_takes_corrpm_s_json(tmp_path):
    out = exported(tmp_path, "corrpm", samples())
    text = (out / "TrainVal_pose_annotations/LIP_SP_TRAIN_annotations.json").read_text()
    joints = parse_pose_json(text, "x")
    assert len(joints) == 4 and all(len(flat) == 48 for flat in joints.values())


def test_joints_in_the_corner_do_not_read_as_missing(tmp_path):
    joints = np.zeros((16, 3), np.float32)
    joints[0], joints[5], joints[7] = (0, 0, 2), (-2, 2, 1), (3, 4, 2)
    out = exported(tmp_path, "corrpm", {"train": [sample("a", keypoints=joints)]})
    points, visible = corrpm_joints(out, "train")["a"]
    assert np.flatnonzero(visible).tolist() == [0, 5, 7]
    np.testing.assert_allclose(points[[0, 5, 7]], [(0, 0), (-2, 2), (3, 4)], atol=0.0101)


def test_coco_joints_go_to_lip_s_places(tmp_path):
    coco, lip = KEYPOINT_SETS["coco17"].keypoint_names, KEYPOINT_SETS["lip16"].keypoint_names
    joints = np.array([(place + 1, 30 - place, 2) for place in range(17)], np.float32)
    joints[coco.index("left-wrist")] = 0
    out = exported(tmp_path, "corrpm", {"train": [sample("a", keypoints=joints)]}, keypoints=KEYPOINT_SETS["coco17"])
    points, visible = corrpm_joints(out, "train")["a"]
    for name in ("right-ankle", "left-hip", "right-wrist"):
        assert points[lip.index(name)].tolist() == joints[coco.index(name), :2].tolist()
    missing = {"pelvis", "thorax", "neck", "head-top", "left-wrist"}
    assert {lip[place] for place in np.flatnonzero(~visible)} == missing
    about = json.loads((out / "export.json").read_text())
    assert about["counts"]["missing_joints"] == 5 and about["counts"]["joints"] == 11


@pytest.mark.parametrize(
    "keypoints, message",
    [
        (None, "the samples have no joints"),
        (KeypointSet("face", ("nose", "chin"), ()), "keypoint set 'face' shares no joint with lip16"),
    ],
)
def test_corrpm_needs_joints_of_the_body(tmp_path, keypoints, message):
    with pytest.raises(ParamsError, match=f"--format corrpm: .*{message}"):
        exported(tmp_path, "corrpm", samples(), keypoints=keypoints)


# CIHP_PGN


@pytest.mark.parametrize("split", IDS)
def test_pgn_gives_every_sample_with_its_mirrored_label_and_borders(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "pgn", content)
    listed = list(pgn_listing(out, split))
    stems = [image.removeprefix(f"{out}/images/").removesuffix(".jpg") for image, *_ in listed]
    check(
        [(stem, Path(image), Path(label)) for stem, (image, label, *_) in zip(stems, listed, strict=True)],
        content[split],
        out,
    )
    wanted = {one.sample_id: one.decode_mask() for one in content[split]}
    for stem, (_, _, reverse, edge) in zip(stems, listed, strict=True):
        mask = wanted[ids_by_stem(out)[stem]]
        mirrored = mask[:, ::-1].copy()
        swapped = mirrored.copy()
        for one, other in ((14, 15), (16, 17), (18, 19)):
            swapped[mirrored == one], swapped[mirrored == other] = other, one
        assert np.array_equal(read_ids(Path(reverse)), swapped)
        person = ((mask > 0) & (mask < 255)).astype(np.uint8)
        assert np.array_equal(read_ids(Path(edge)), person_borders(person))
    for name in (f"{split}.txt", f"{split}_rev.txt", f"{split}_id.txt"):
        text = (out / "list" / name).read_text(encoding="utf-8")
        assert not text.endswith("\n") and text.count("\n") == len(content[split]) - 1


def sobel_by_loops(ids):
    """MATLAB's imgradient > 0: Sobel in both directions, edges replicated."""
    padded = np.pad(ids.astype(int), 1, mode="edge")
    found = np.zeros_like(ids)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            window = padded[y : y + 3, x : x + 3]
            found[y, x] = (window * kernel).sum() != 0 or (window * kernel.T).sum() != 0
    return found


def test_borders_of_people_are_where_the_gradient_of_their_ids_is():
    rng = np.random.default_rng(2)
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2), (13, 7), (12, 12)):
        for ids in (rng.integers(0, 3, shape), rng.choice([0, 1, 254], shape, p=[0.9, 0.05, 0.05])):
            ids = ids.astype(np.uint8)
            assert np.array_equal(person_borders(ids), sobel_by_loops(ids)), ids
    half = np.repeat(np.array([[0, 0, 0, 2, 2, 2]], np.uint8), 4, axis=0)
    assert person_borders(half).tolist() == [[0, 0, 1, 1, 0, 0]] * 4


def test_pgn_takes_borders_from_person_ids_where_there_are_any(tmp_path):
    people = np.zeros((24, 20), np.uint8)
    people[2:20, 3:9], people[5:20, 9:16] = 1, 2
    out = exported(tmp_path, "pgn", {"train": [sample("a", people_map=encode_png(people))]})
    assert np.array_equal(read_ids(out / "edges/a.png"), person_borders(people))
    assert "borders_from_part_masks" not in json.loads((out / "export.json").read_text())["counts"]


# openseg and HRNet


@pytest.mark.parametrize("split", IDS)
def test_openseg_gives_every_sample_with_its_edges(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "openseg", content)
    listed = list(openseg_listing(out, split))
    check([one[:3] for one in listed], content[split], out)
    wanted = {one.sample_id: one.decode_edge() for one in content[split]}
    for stem, _, _, edge in listed:
        found = read_ids(edge)
        assert np.array_equal(found, wanted[ids_by_stem(out)[stem]]) and set(np.unique(found)) == {0, 1}


@pytest.mark.parametrize(
    "split, name, columns", [("train", "trainList", 3), ("val", "valList", 2), ("val", "testvalList", 2)]
)
def test_hrnet_s_lists_lead_to_every_sample(tmp_path, split, name, columns):
    content = samples()
    out = exported(tmp_path, "openseg", content)
    rows = [line.strip().split() for line in (out / f"list/lip/{name}.txt").read_text(encoding="utf-8").splitlines()]
    assert {len(row) for row in rows} == {columns}
    check([((out / row[1]).stem, out / row[0], out / row[1]) for row in rows], content[split], out)


def test_openseg_and_pgn_need_masks_in_every_split(tmp_path):
    for form in ("openseg", "pgn"):
        with pytest.raises(DataError, match=f"sample 't' has no part mask, and --format {form} holds one"):
            exported(tmp_path / form, form, {"test": [sample("t", split="test", mask=None, edge=None)]})


# MMSegmentation


def configuration(out):
    """dataset.py as a dictionary; `fileDirname` is filled in by the tool."""
    space: dict = {}
    exec((out / "dataset.py").read_text(encoding="utf-8").replace("{{ fileDirname }}", str(out)), space)
    return space


@pytest.mark.parametrize(
    "parts, pairs",
    [
        (LABEL_SETS["lip"], [(14, 15), (16, 17), (18, 19)]),
        (LABEL_SETS["atr"], [(9, 10), (12, 13), (14, 15)]),
        (SHOP, [(2, 3)]),
        (LABEL_SETS["pascal"], None),
        (LabelSet("own", ("background", "it's a 'top'"), ((1, 2, 3), (4, 5, 6))), None),
    ],
)
def test_mmseg_is_told_classes_colours_and_what_trades_places(tmp_path, parts, pairs):
    content = samples(pixels=part_mask(0, (24, 20), len(parts)))
    content = {split: [replace(one, image=builders.jpeg(24, 20)) for one in found] for split, found in content.items()}
    found = configuration(exported(tmp_path, "mmseg", content, parts=parts))
    assert found["classes"] == parts.part_names and found["num_classes"] == len(parts)
    assert found["palette"] == parts.palette[: len(parts)].tolist() and found["swap_seg_labels"] == pairs
    flip = next(one for one in found["train_pipeline"] if one["type"] == "RandomFlip")
    assert flip["swap_seg_labels"] == pairs
    for split in IDS:
        prefix = found[f"{split}_dataloader"]["dataset"]["data_prefix"]
        assert prefix == {"img_path": f"{split}_images", "seg_map_path": f"{split}_segmentations"}
    assert "test_dataloader" not in found
