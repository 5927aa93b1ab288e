"""`hpp check` and the gate of `hpp ingest`: planted defects are found whole, clean sets are clean, limits decide."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.datasets.sample.archives import write_archives
from pipeline.images import encode_png
from pipeline.quality.checks import CHECKS
from pipeline.shards import open_shards
from stages.cli import main
from tests import builders, planted

NOT_IN_LIP = ("contradicting_maps", "count_differences")

SETS = {
    "lip": {"layout": "lip", "label_set": "lip", "keypoint_set": "lip16", "people": "single"},
    "cihp": {"layout": "cihp", "label_set": "cihp"},
    "atr": {"layout": "atr", "label_set": "atr", "people": "single"},
    "pascal": {"layout": "pascal", "label_set": "pascal", "keypoint_set": "pascal14"},
    "coco": {"layout": "coco", "label_set": "person", "keypoint_set": "coco17"},
    "folder": {"layout": "folder", "label_set": "lip", "people": "single"},
}


def write_params(folder, **quality):
    """params.yaml with a set of every layout, and limits."""
    datasets = {name: {"source": "/somewhere", "splits": ["train", "val"], **one} for name, one in SETS.items()}
    builders.write_params(folder, datasets, quality=quality, shards={"records_per_shard": 6, "row_group": 3})
    return folder


def hpp(project, *arguments, code=0):
    options = ["--params", str(project / "params.yaml"), "--root", str(project), "--no-progress"]
    result = CliRunner().invoke(main, [*options, *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def listed(project, dataset, kind):
    text = (project / "data/check" / dataset / f"{kind}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def report(project, dataset):
    return json.loads((project / "data/check" / dataset / "check.json").read_text())


def pairs(lines):
    return {(line["check"], line["sample_id"]) for line in lines}


@pytest.fixture(scope="module")
def defects(tmp_path_factory):
    """A project whose LIP set has one defect of each kind, and what is wrong with it."""
    folder = tmp_path_factory.mktemp("planted")
    splits = planted.drawn(folder / "drawn", {"train": 20, "val": 3}, seed=5)
    wrong = planted.plant(splits)
    planted.write(folder / "data/raw/lip", splits)
    return write_params(folder), wrong


def test_the_planted_set_has_every_kind_that_lip_can_hold(defects):
    assert {check for check, _ in defects[1]} == set(CHECKS) - set(NOT_IN_LIP)


def test_every_planted_defect_is_found_by_name_and_nothing_else(defects):
    project, wrong = defects
    result = hpp(project, "check", "lip", code=2)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "quality.max_rejects allows 0" in line and "lip/" in line and "duplicates fail, too" in line
    rejects, outcomes = listed(project, "lip", "rejects"), listed(project, "lip", "outcomes")
    assert pairs(rejects) | pairs(outcomes) == wrong and len(rejects) + len(outcomes) == len(wrong)
    kept = {"empty_people", "small_masks", "duplicates", "near_duplicates", "shared_sources"}
    assert {line["check"] for line in outcomes} == kept and not kept & {line["check"] for line in rejects}
    for one in (*rejects, *outcomes):
        assert one["sample_id"] in one["reason"] and one["split"] in ("train", "val")
    content = report(project, "lip")
    assert not content["passes"] and content["splits"]["train"] == {"images": 20, "usable": 11, "people": 11}
    assert {name: figures["found"] for name, figures in content["checks"].items()} == {
        name: sum(check == name for check, _ in wrong) for name in CHECKS
    }
    assert content["checks"]["small_masks"]["verdict"] == "reported"
    assert content["checks"]["duplicates"] == {
        "found": 1, "limit": 0, "key": "quality.max_duplicates", "verdict": "fails",
    }  # fmt: skip
    assert not (project / "data/ingest").exists() and not (project / "metrics").exists()


def test_reasons_tell_ids_counts_and_a_mend(defects):
    project, _ = defects
    hpp(project, "check", "lip", code=2)
    reasons = {line["check"]: line["reason"] for line in listed(project, "lip", "rejects")}
    assert "holds the ids [20], label set 'lip' has 0 to 19 and 255; pixels of each: 20: " in reasons["unknown_ids"]
    assert "Resize masks by nearest neighbour" in reasons["smoothed_masks"]
    assert "neck at (" in reasons["keypoints_outside_image"] and "wrist" in reasons["left_right_contradictions"]


def test_ingest_fails_by_the_same_findings_and_publishes_nothing(defects):
    project, _ = defects
    result = hpp(project, "--quiet", "ingest", "lip", code=2)
    (line,) = result.stderr.splitlines()
    assert "quality.max_rejects allows 0" in line and "; nothing was published. Mend the source" in line
    assert not (project / "data/ingest").exists() and not (project / "metrics").exists()


def test_limits_that_allow_all_leave_contradictions_out_and_list_everything(defects, tmp_path):
    project, wrong = defects
    limits = {check.limit: 5 for check in CHECKS.values()}
    params = write_params(tmp_path, **limits)
    options = ["--params", str(params / "params.yaml"), "--root", str(project)]
    result = CliRunner().invoke(main, [*options, "ingest", "lip"])
    assert result.exit_code == 0, result.output
    assert "see `hpp check lip`" in result.stdout and "1 near_duplicates" in result.stdout
    folder = project / "data/ingest/lip"
    found = {
        kind: [
            json.loads(line)
            for split in ("train", "val")
            for line in (folder / split / f"{kind}.jsonl").read_text().splitlines()
        ]
        for kind in ("rejects", "outcomes")
    }
    # Shared source images are by design, and only counted.
    assert pairs(found["rejects"]) | pairs(found["outcomes"]) == {one for one in wrong if one[0] != "shared_sources"}
    gone = {line["sample_id"] for line in found["rejects"]}
    kept = [record.sample_id for split in ("train", "val") for record in open_shards(folder / split)]
    assert not gone & set(kept) and {line["sample_id"] for line in found["outcomes"]} <= set(kept)
    figures = json.loads((project / "metrics/ingest/lip.json").read_text())
    assert figures["train"]["images"] + figures["train"]["rejects"] == 20 and figures["val"]["rejects"] == 0
    assert figures["findings"]["left_right_contradictions"] == 2 and figures["findings"]["shared_sources"] == 1
    # With null the contradictions stay in the set.
    limits |= {check.limit: None for check in CHECKS.values() if check.contradiction}
    write_params(tmp_path, **limits)
    assert CliRunner().invoke(main, [*options, "-q", "ingest", "lip"]).exit_code == 0
    kept = {record.sample_id for record in open_shards(folder / "train")}
    stay = {name for check, name in wrong if check in CHECKS and CHECKS[check].contradiction}
    assert stay <= kept and len(kept) == 16
    outcomes = [json.loads(line) for line in (folder / "train/outcomes.jsonl").read_text().splitlines()]
    assert {("left_right_contradictions", name) for name in stay} & pairs(outcomes)


@pytest.mark.parametrize(
    "check, name", [(check.limit, name) for name, check in CHECKS.items() if name not in NOT_IN_LIP]
)
def test_each_limit_fails_the_command_by_itself(defects, tmp_path, check, name):
    project, _ = defects
    write_params(tmp_path, **{other.limit: None for other in CHECKS.values()})
    options = ["--params", str(tmp_path / "params.yaml"), "--root", str(project), "--no-progress"]
    run = [*options, "--set", f"quality.{check}=0", "check", "lip", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, run)
    assert result.exit_code == 2 and f"quality.{check} allows 0" in result.stderr
    run[run.index("--set") + 1] = f"datasets.lip.limits={{{check}: 9}}"
    result = CliRunner().invoke(main, run)
    assert result.exit_code == 0 and json.loads((tmp_path / "check.json").read_text())["passes"]
    figures = json.loads((tmp_path / "check.json").read_text())["checks"][name]
    assert figures["limit"] == 9 and figures["key"] == f"datasets.lip.limits.{check}" and figures["found"] > 0


@pytest.mark.parametrize("name", ["lip", "cihp", "atr", "pascal", "coco"])
def test_a_clean_drawn_set_has_no_finding(tmp_path, name):
    project = write_params(tmp_path)
    write_archives(name, project / "data/raw" / name, {"train": 6, "val": 4}, seed=21)
    limits = [f"--set=quality.{check.limit}=0" for check in CHECKS.values() if check.name != "shared_sources"]
    hpp(project, *limits, "check", name)
    found = pairs(listed(project, name, "rejects")) | pairs(listed(project, name, "outcomes"))
    assert {check for check, _ in found} <= {"shared_sources"}
    assert report(project, name)["splits"]["train"]["usable"] == 6


def people_map(*columns):
    """24 x 20: a person in each pair of columns."""
    ids = np.zeros((24, 20), np.uint8)
    for number, (first, last) in enumerate(columns, start=1):
        ids[4:20, first:last] = number
    return ids


def test_defects_of_several_people_in_an_image(tmp_path):
    """CIHP: person ids of another size, and a person whose pixels no part labels, which two checks see."""
    project, ids = write_params(tmp_path), people_map((1, 8), (11, 19))
    builders.write_cihp(
        project / "data/raw/cihp",
        {
            "0000001": (builders.jpeg(24, 20, 1), builders.png(ids * 5), builders.png(ids)),
            "0000002": (builders.jpeg(24, 20, 2), builders.png(ids * 5), builders.png(ids[:, :-1])),
            "0000003": (builders.jpeg(24, 20, 3), builders.png((ids == 1) * 5), builders.png(ids)),
        },
    )
    hpp(project, "--set", "datasets.cihp.splits=[train]", "check", "cihp", code=2)
    assert pairs(listed(project, "cihp", "rejects")) == {
        ("sizes_differ", "0000002"), ("contradicting_maps", "0000003"),
    }  # fmt: skip
    (outcome,) = listed(project, "cihp", "outcomes")
    assert outcome["check"] == "empty_people" and "0000003: person 2: not one labelled pixel" in outcome["reason"]


def test_defects_of_coco_annotations(tmp_path):
    project = write_params(tmp_path)
    names = ["fine.jpg", "size.jpg", "rle.jpg", "stray.jpg", "broken.jpg", "nobody.jpg"]
    square, inside = [[2, 4, 12, 4, 12, 20, 2, 20]], [5, 10, 2]
    content = builders.coco_content(
        {name: (30, 20) if name == "size.jpg" else (24, 20) for name in names},
        [
            {"image_id": 1, "bbox": [2, 4, 10, 16], "segmentation": square, "keypoints": inside + [0] * 48},
            {"image_id": 3, "segmentation": {"size": [24, 19], "counts": [0, 24 * 19]}},
            {"image_id": 4, "bbox": [2, 4, 10, 16], "segmentation": square, "keypoints": inside + [19, 12, 2] + [0] * 45},
            {"image_id": 5, "segmentation": [[1, 2]]},
            {"image_id": 6, "bbox": [5, 5, 0, 0]},
        ],
    )  # fmt: skip
    builders.write_coco(
        project / "data/raw/coco", {name: builders.jpeg(24, 20, i) for i, name in enumerate(names)}, content
    )
    hpp(project, "--set", "datasets.coco.splits=[val]", "check", "coco", code=2)
    assert pairs(listed(project, "coco", "rejects")) == {
        ("sizes_differ", "size"), ("sizes_differ", "rle"), ("keypoints_outside_person", "stray"), ("unreadable", "broken"),
    }  # fmt: skip
    assert pairs(listed(project, "coco", "outcomes")) == {("empty_people", "nobody")}


def test_masks_of_an_own_folder_that_are_not_ids(tmp_path):
    """RGB of unknown colours, 16 bits, ids out of range, a binary mask of 0 and 255: named, with what to do."""
    project = write_params(tmp_path)
    good = people_map((2, 12)) * 5
    colours = np.dstack([good * 40, good * 3, good])
    deep = cv2.imencode(".png", good.astype(np.uint16) * 256)[1].tobytes()
    masks = {"good": encode_png(good), "colours": encode_png(colours), "deep": deep,
             "range": encode_png(good * 7), "binary": encode_png((good > 0) * np.uint8(255))}  # fmt: skip
    members = [(f"images/{name}.jpg", builders.jpeg(24, 20, i)) for i, name in enumerate(masks)]
    members += [(f"masks/{name}.png", data) for name, data in masks.items()]
    members.append(("train.txt", "\n".join(masks).encode()))
    builders.write_zip(project / "data/raw/folder/set.zip", members)
    hpp(project, "--set", "datasets.folder.splits=[train]", "check", "folder", code=2)
    reasons = {line["sample_id"]: (line["check"], line["reason"]) for line in listed(project, "folder", "rejects")}
    assert {name: check for name, (check, _) in reasons.items()} == {
        "colours": "unknown_ids", "deep": "unreadable", "range": "unknown_ids",
    }  # fmt: skip
    assert "160 pixels are so" in reasons["colours"][1] and "expected one 8-bit channel" in reasons["deep"][1]
    assert "[35]" in reasons["range"][1] and "pixels of each: 35: 160" in reasons["range"][1]
    (binary,) = listed(project, "folder", "outcomes")
    assert binary["check"] == "empty_people" and binary["sample_id"] == "binary"
    assert binary["reason"].endswith("no keypoint; 160 are 255, which is ignored")
    assert report(project, "folder")["source"]["split"] == "list files"


def test_counts_are_enforced_of_published_sets_alone(tmp_path):
    project = write_params(tmp_path)
    planted.write(project / "data/raw/lip", planted.drawn(tmp_path / "drawn", {"train": 2, "val": 1}, seed=2))
    hpp(project, "check", "lip")
    assert report(project, "lip")["published"]["train"] == 30462
    result = hpp(project, "--set", "datasets.lip.source=published", "check", "lip", code=2)
    assert "lip: 2 train images, published are 30462 (and 1 more)" in result.stderr
    assert "quality.max_count_differences allows 0" in result.stderr and "Get the archives again" in result.stderr
    hpp(project, "--set", "datasets.lip.source=published", "--set", "quality.max_count_differences=2", "check", "lip")


def test_real_photos_have_no_finding(tmp_path):
    if not builders.REAL.is_dir():
        pytest.skip("no real samples beside the project")
    project, name = write_params(tmp_path), "684_2150041"
    photos = {path.name: path.read_bytes() for path in (builders.REAL / "coco").glob("*.jpg")}
    content = json.loads((builders.REAL / "coco/person_keypoints.json").read_text())
    builders.write_coco(project / "data/raw/coco", photos, content)
    read = [
        (builders.REAL / f"lip/train_{kind}").read_bytes()
        for kind in (f"images/{name}.jpg", f"segmentations/{name}.png")
    ]
    builders.write_lip(project / "data/raw/lip", {name: read[0]}, {name: read[1]})
    for dataset, split in (("coco", "val"), ("lip", "train")):
        limits = [f"--set=quality.{check.limit}=0" for check in CHECKS.values()]
        hpp(project, *limits, "--set", f"datasets.{dataset}.splits=[{split}]", "check", dataset)
        assert listed(project, dataset, "rejects") == [] == listed(project, dataset, "outcomes")
        assert report(project, dataset)["splits"][split]["people"] >= 1


def test_any_number_of_workers_finds_the_same(defects, tmp_path):
    project, _ = defects
    options = ["--params", str(project / "params.yaml"), "--root", str(project), "-q"]
    for workers in (1, 2):
        run = ["--set", f"executor.workers={workers}", "check", "lip", "--out", str(tmp_path / str(workers))]
        assert CliRunner().invoke(main, [*options, *run]).exit_code == 2
    for name in ("check.json", "rejects.jsonl", "outcomes.jsonl"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_a_source_that_is_not_there_is_told(tmp_path):
    result = hpp(write_params(tmp_path), "check", "lip", code=2)
    assert "data/raw/lip: no such folder. Run `hpp download` first" in result.stderr
