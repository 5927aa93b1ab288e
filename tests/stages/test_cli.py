"""The `hpp` command on tiny sources: what it writes, and what it says when the user slips."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.execution import LocalPool
from pipeline.labels import edge_map
from pipeline.shards import open_shards
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, sha256_of
from pipeline.shards.step import run_step
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.pose import annotated_pose_step
from stages.cli import COMMANDS, main
from tests import builders

PARTS = np.zeros((24, 20), np.uint8)
PARTS[2:12, 1:9], PARTS[10:22, 11:19] = 5, 13
PEOPLE = np.where(PARTS == 5, 1, np.where(PARTS == 13, 2, 0)).astype(np.uint8)


@pytest.fixture
def project(tmp_path):
    """A folder with params.yaml, and archives of a LIP and a CIHP set of a few images."""
    common = {"splits": ["train"], "keypoint_set": None}
    datasets = {
        "lip": {
            **common, "source": str(tmp_path / "lip"), "layout": "lip", "label_set": "lip", "keypoint_set": "lip16",
            "people": "single",
        },
        "cihp": {**common, "source": str(tmp_path / "cihp"), "layout": "cihp", "label_set": "cihp"},
    }  # fmt: skip
    builders.write_params(tmp_path, datasets)
    names = ["1.5_1", "2_2", "3_3"]
    builders.write_lip(
        tmp_path / "lip",
        {name: builders.jpeg(24, 20, seed) for seed, name in enumerate(names)},
        {name: builders.png(PARTS) for name in names},
        [builders.pose_row(name, {joint: (joint + 2, joint + 3, joint % 2) for joint in range(16)}) for name in names],
    )
    builders.write_cihp(
        tmp_path / "cihp",
        {
            "0000001": (builders.jpeg(24, 20), builders.png(PARTS), builders.png(PEOPLE)),
            "0000002": (builders.jpeg(24, 20, 1), builders.png(PARTS * 0), builders.png(PEOPLE * 0)),
        },
    )
    return tmp_path


def hpp(project, *arguments, code=0):
    options = ["--params", str(project / "params.yaml"), "--root", str(project)]
    result = CliRunner().invoke(main, [*options, *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refused(project, *arguments):
    """The one line on stderr of a user's slip."""
    result = hpp(project, "--quiet", *arguments, code=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ") and "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)
    return lines[0]


def metrics(project, stage, dataset):
    return json.loads((project / "metrics" / stage / f"{dataset}.json").read_text())


def left_behind(project):
    """What lies under data/, hidden files too, scratch apart."""
    root = project / "data"
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if "scratch" not in path.parts and path.is_file()
    )


def test_download_copies_and_verifies(project):
    digest = sha256_of(project / "lip/TrainVal_images.zip")
    result = hpp(project, "--set", f"datasets.lip.sha256={{TrainVal_images.zip: {digest}}}", "download", "lip")
    assert "download lip: 3 archives" in result.stdout
    figures = metrics(project, "download", "lip")
    assert figures["files"] == 3 and figures["archives"]["TrainVal_images.zip"]["checksum"] == "verified"
    for path in (project / "lip").iterdir():
        assert (project / "data/raw/lip" / path.name).read_bytes() == path.read_bytes()


def test_a_single_person_set_goes_from_archives_to_shards(project):
    for stage in ("download", "ingest", "crop", "edges"):
        hpp(project, stage, "lip")
    inputs = stage_inputs([project / "data/crops/lip"], ["train"])
    run_step(
        annotated_pose_step(16, 2), inputs, lambda split, entries: builders.manifest(entries, keypoint_set="lip16"),
        ["train"], project / "data/pose/lip", project / "data/scratch", engine=LocalPool(1), max_rejects=0, limit_key="",
        progress=lambda done: None,
    )  # fmt: skip
    for stage in ("heatmaps", "shard"):
        hpp(project, stage, "lip")
    shards = open_shards(project / "data/shards/lip/train")
    assert [sample.sample_id for sample in shards] == ["1.5_1", "2_2", "3_3"]
    assert shards.manifest.keypoint_set == "lip16" and len(shards.manifest.shards) == 2
    for index, sample in enumerate(shards):
        assert np.array_equal(sample.decode_mask(), PARTS)
        assert np.array_equal(sample.decode_edge(), edge_map(PARTS, 3))
        assert sample.keypoints[3].tolist() == [5, 6, 1] and sample.keypoints[4].tolist() == [6, 7, 2]
        assert shards.heatmaps(index).shape == (16, 12, 8)
    assert shards.manifest.parameters["edges"] == {"width": 3, "between_people": False}
    link = shards.manifest.links["heatmaps"]
    assert link["sha256"] == sha256_of(project / "data/heatmaps/lip/train" / MANIFEST_NAME)
    assert metrics(project, "heatmaps", "lip")["train"]["samples"] == 3
    figures = metrics(project, "shard", "lip")["train"]
    assert figures["samples"] == 3 and sum(figures["class_share"].values()) == pytest.approx(1, abs=1e-3)
    assert "| train | 3 |" in (project / "data/shards/lip/README.md").read_text()
    sheet = project / "sheet.png"
    assert "3 of 3 train samples" in hpp(project, "show", "lip", "--out", str(sheet)).stdout and sheet.is_file()
    # Again: the same bytes.
    before = {path: (project / "data" / path).read_bytes() for path in left_behind(project)}
    for stage in ("ingest", "crop", "edges", "heatmaps", "shard"):
        hpp(project, stage, "lip")
    assert {path: (project / "data" / path).read_bytes() for path in left_behind(project)} == before


def test_a_set_of_several_people_is_cut_by_its_annotation(project):
    for stage in ("download", "ingest", "crop", "edges"):
        hpp(project, stage, "cihp")
    assert metrics(project, "ingest", "cihp")["train"] == {
        "images": 2, "rejects": 0, "people": 2, "crowds": 0, "published_images": 28280,
        "bytes": len(builders.jpeg(24, 20)) + len(builders.jpeg(24, 20, 1)),
    }  # fmt: skip
    figures = metrics(project, "crop", "cihp")["train"]
    assert (figures["images"], figures["people"], figures["outcomes"], figures["people_per_image"]) == (2, 2, 1, 1.0)
    outcome = json.loads((project / "data/crops/cihp/train/outcomes.jsonl").read_text())
    assert outcome == {"sample_id": "0000002", "reason": "nobody was found"}
    manifest = Manifest.read(project / "data/crops/cihp/train")
    assert (manifest.kind, manifest.label_set, manifest.keypoint_set, manifest.records) == ("crops", "cihp", None, 2)
    assert metrics(project, "edges", "cihp")["train"]["masks"] == 2


def test_rejects_stop_the_stage_and_leave_nothing(project):
    builders.write_cihp(
        project / "cihp", {"0000007": (builders.jpeg(24, 20)[:300], builders.png(PARTS), builders.png(PEOPLE))}
    )
    hpp(project, "download", "cihp")
    before = left_behind(project)
    line = refused(project, "ingest", "cihp")
    assert "cihp/0000007: " in line and "Images/0000007.jpg" in line and "quality.max_rejects allows 0" in line
    assert left_behind(project) == before and not (project / "metrics/ingest").exists()
    line = refused(project, "--set", "datasets.cihp.limits={max_rejects: 0}", "ingest", "cihp")
    assert "datasets.cihp.limits.max_rejects allows 0" in line
    hpp(project, "--set", "quality.max_rejects=1", "ingest", "cihp")
    assert metrics(project, "ingest", "cihp")["train"]["rejects"] == 1
    reject = json.loads((project / "data/ingest/cihp/train/rejects.jsonl").read_text())
    assert reject["sample_id"] == "0000007"


def test_an_archive_that_was_got_again_is_read_anew(project):
    hpp(project, "download", "cihp")
    path = project / "data/raw/cihp/instance-level_human_parsing.zip"
    whole = path.read_bytes()
    place = whole.index(builders.jpeg(24, 20)) + 200
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    assert "Bad CRC-32" in refused(project, "ingest", "cihp")
    hpp(project, "download", "cihp")
    hpp(project, "ingest", "cihp")
    assert metrics(project, "ingest", "cihp")["train"]["images"] == 2


@pytest.mark.parametrize("stage", ["download", "ingest", "edges", "heatmaps", "shard", "show"])
def test_an_unknown_data_set_is_told(project, stage):
    assert "DATASET: 'imagenet' is not in params.yaml; it has cihp, lip" in refused(project, stage, "imagenet")
    assert not (project / "data").exists()


@pytest.mark.parametrize(
    "stage, message",
    [
        ("ingest", "data/raw/lip: no such folder. Run `hpp download` first"),
        ("edges", "data/crops/lip/train/manifest.json: not found"),
        ("heatmaps", "manifest.json: not found"),
        ("shard", "data/crops/lip/train/manifest.json: not found"),
        ("show", "data/shards/lip/train/manifest.json: not found"),
    ],
)
def test_a_stage_without_its_input_says_what_to_run(project, stage, message):
    assert message in refused(project, stage, "lip")
    assert left_behind(project) == []


def test_a_missing_source_leaves_nothing(project):
    line = refused(project, "--set", f"datasets.lip.source={project / 'nowhere'}", "download", "lip")
    assert f"{project / 'nowhere'}: no such folder. Set the data set's `source`" in line
    assert [path for path in project.rglob("*") if path.name.startswith(".")] == [] == left_behind(project)


def test_a_wrong_checksum_leaves_the_earlier_download(project):
    hpp(project, "download", "lip")
    before = left_behind(project)
    line = refused(project, "--set", "datasets.lip.sha256={TrainVal_images.zip: abc}", "download", "lip")
    assert "TrainVal_images.zip: SHA-256 is " in line and "expected abc" in line
    assert left_behind(project) == before


@pytest.mark.parametrize(
    "options, message",
    [
        (["--set", "edges.colour=1"], "edges.colour is not a known key; known here are between_people, width"),
        (["--set", "edges.width=4"], "edges.width: expected an odd number of pixels; found 4"),
        (["--set", "edges.width"], "--set edges.width: expected key.path=value"),
        (["--params", "nowhere.yaml"], "nowhere.yaml: not found"),
    ],
)
def test_wrong_parameters_are_told_in_one_line(project, options, message):
    assert message in refused(project, *options, "edges", "lip")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["edgse", "lip"], "No such command 'edgse'"),
        (["edges"], "Missing argument 'DATASET'"),
        (["edges", "lip", "cihp"], "unexpected extra argument"),
        (["--colour", "edges", "lip"], "No such option"),
        (["show", "lip", "--count", "0"], "--count"),
        (["export", "lip", "--out", "x"], "Missing option '--format'. Choose from: folder, coco, "),
        (["show", "lip", "--split", "val"], "--split val: lip has train"),
    ],
)
def test_wrong_options_are_told_in_one_line(project, arguments, message):
    assert message in refused(project, *arguments)


def test_a_sheet_of_nobody_is_told(project):
    builders.write_split(project / "data/shards/lip/train", [], [], kind="samples")
    assert "data/shards/lip: nobody in train. outcomes.jsonl of lip's crops tells why" in refused(
        project, "show", "lip"
    )


def test_bugs_keep_their_traceback_and_exit_code_1(project, monkeypatch):
    monkeypatch.setattr("stages.datasets._about", lambda section: 1 / 0)
    result = CliRunner().invoke(main, ["--params", str(project / "params.yaml"), "datasets"])
    assert result.exit_code == 1 and isinstance(result.exception, ZeroDivisionError)


def test_datasets_tells_sources_counts_and_what_is_on_disk(project):
    hpp(project, "download", "lip")
    text = hpp(project, "datasets").stdout
    assert f"lip: {project / 'lip'}; layout lip (published: 30462 train" in text
    assert "on disk: raw" in text and "on disk: nothing" in text


def test_quiet_says_nothing_and_no_progress_gives_plain_lines(project):
    quiet = hpp(project, "--quiet", "download", "lip")
    assert quiet.stdout == "" == quiet.stderr
    told = hpp(project, "--no-progress", "ingest", "lip")
    assert told.stderr.splitlines() == ["ingest lip: 1/2 shards", "ingest lip: 2/2 shards"]


def test_the_file_that_workers_import_again_brings_nothing_along():
    code = "import sys; import stages.__main__; print({'click', 'numpy', 'cv2', 'pipeline'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
    told = subprocess.run([sys.executable, "-m", "stages", "crop", "--help"], capture_output=True, check=True).stdout
    assert told.startswith(b"Usage: ") and b"Cut the people of DATASET out" in told


def test_help_lists_every_command():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0 and all(f"  {name} " in result.output for name in COMMANDS)


@pytest.mark.parametrize(
    ("number", "told"),
    [(28, "No space left on device. Free some space"), (5, "Input/output error. Look after the disk")],
)
def test_what_the_machine_refuses_is_one_line(tmp_path, monkeypatch, number, told):
    from stages import datasets

    def refuse(*_):
        raise OSError(number, os.strerror(number), "data/x")

    monkeypatch.setattr(datasets.datasets, "callback", refuse)
    result = CliRunner().invoke(main, ["datasets"])
    assert result.exit_code == 1 and result.stderr == f"Error: data/x: {told}; then run the command again\n"


def test_a_folder_that_cannot_be_copied_is_one_line(tmp_path, monkeypatch):
    from stages import datasets

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").write_text("a")

    def refuse(*_, **__):
        raise OSError(5, "Input/output error")

    def callback():
        shutil.copytree(tmp_path / "folder", tmp_path / "copy", copy_function=refuse)

    monkeypatch.setattr(datasets.datasets, "callback", callback)
    result = CliRunner().invoke(main, ["datasets"])
    assert result.exit_code == 1 and result.stderr == (
        f"Error: {tmp_path}/folder/a: cannot be copied ([Errno 5] Input/output error). Look after the disk; then run the "
        "command again\n"
    )
