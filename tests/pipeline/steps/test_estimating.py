"""What a pose teacher is asked, counted: a fake one whose joints are read off the pixels and the box."""

import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.execution import LocalPool
from pipeline.images import encode_png
from pipeline.pose.base import PoseSettings
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import Manifest
from pipeline.shards.step import run_step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.estimating import MOST_PEOPLE, RawJoints
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.pose import pseudo_pose_step
from tests import builders
from tests.trainer.builders import make_sample


class MeanEstimator:
    """Joint k lies at the box's corner plus k, its confidence is the crop's mean grey over 255."""

    keypoint_set = "coco17"

    def __init__(self, teacher_id="means-1", settings=None):
        self.teacher_id = teacher_id
        self.settings = settings or PoseSettings()
        self.halvings = 0
        self.calls = []

    def estimate_many(self, images, boxes):
        self.calls.append(len(images))
        return [self._joints(image, box) for image, (box,) in zip(images, boxes, strict=True)]

    def _joints(self, image, box):
        joints = np.arange(17, dtype=np.float32)[:, None] + box[:2]
        return np.concatenate([joints, np.full((17, 1), image.mean() / 255)], axis=1)[None].astype(np.float32)

    @property
    def asked(self):
        return sum(self.calls)


def crop_of(number, grey=None, box=(2, 3, 20, 30)):
    """A crop of one grey at (10, 20) of its image; the box is in the image's pixels."""
    pixels = np.full((40, 30, 3), 60 + number if grey is None else grey, np.uint8)
    sample = make_sample(number, hw=(40, 30), keypoints=False)
    shift = np.array([[1, 0, 10], [0, 1, 20]], np.float64)
    moved = np.array([box[0] + 10, box[1] + 20, *box[2:]], np.float32)
    return replace(sample, sample_id=f"s{number}", image=encode_png(pixels), to_source=shift, box=moved)


def pose(folder, samples, estimator, *, min_confidence=0.3, per_shard=4):
    shards = [samples[start : start + per_shard] for start in range(0, len(samples), per_shard)]
    data = [parquet_bytes([sample_row(one) for one in shard], SAMPLE_SCHEMA, 2) for shard in shards]
    builders.write_split(folder / "crops/train", data, [len(shard) for shard in shards], kind="crops")
    step = pseudo_pose_step(RawJoints(estimator, folder / "scratch"), min_confidence, 2)
    run_step(
        step, stage_inputs([folder / "crops"], ["train"]), lambda split, entries: builders.manifest(entries),
        ["train"], folder / "out", folder / "scratch", engine=LocalPool(2), max_rejects=0, limit_key="x", progress=lambda n: None,
    )  # fmt: skip
    files = sorted((folder / "out/train").glob("part-*.parquet"))
    return [row for file in files for row in pq.read_table(io.BytesIO(file.read_bytes())).to_pylist()]


SAMPLES = [crop_of(number) for number in range(10)]


def test_joints_are_the_teachers_in_crop_pixels_and_low_ones_are_missing(tmp_path):
    dim, bright = pose(tmp_path, [crop_of(0, grey=51), crop_of(1, grey=204)], MeanEstimator())
    assert bright["keypoints"][5] == [7, 8, 2] and set(bright["keypoint_origin"]) == {"means-1"}
    assert dim["keypoints"] == [[0, 0, 0]] * 17 and set(dim["keypoint_origin"]) == {""}
    assert dim["keypoint_confidence"][0] == np.float32(0.2) and bright["keypoint_confidence"][0] == np.float32(0.8)


def test_another_confidence_runs_no_network_and_gives_what_a_fresh_run_gives(tmp_path):
    estimator = MeanEstimator()
    pose(tmp_path, SAMPLES, estimator)
    assert estimator.calls == [4, 4, 2]
    again = MeanEstimator()
    kept = pose(tmp_path, SAMPLES, again, min_confidence=0.25)
    assert again.calls == [] and kept == pose(tmp_path / "fresh", SAMPLES, MeanEstimator(), min_confidence=0.25)


def test_one_more_person_is_one_call_wherever_they_come(tmp_path):
    pose(tmp_path, SAMPLES, MeanEstimator())
    for samples in ([*SAMPLES, crop_of(10)], [crop_of(11), *SAMPLES]):
        estimator = MeanEstimator()
        assert len(pose(tmp_path, samples, estimator)) == 11 and estimator.calls == [1]


def test_another_box_of_the_same_pixels_is_asked(tmp_path):
    pose(tmp_path, SAMPLES[:2], MeanEstimator())
    estimator = MeanEstimator()
    rows = pose(tmp_path, [crop_of(0, box=(4, 3, 20, 30)), SAMPLES[1]], estimator, min_confidence=0)
    assert estimator.calls == [1] and rows[0]["keypoints"][0][:2] == [4, 3]


@pytest.mark.parametrize(
    "other",
    [
        MeanEstimator("means-2"),
        MeanEstimator(settings=PoseSettings(flip=False)),
        MeanEstimator(settings=PoseSettings(decoding="dark")),
    ],
    ids=["weights", "flip", "decoding"],
)
def test_another_teacher_or_way_of_asking_is_asked_everything(tmp_path, other):
    pose(tmp_path, SAMPLES, MeanEstimator())
    pose(tmp_path, SAMPLES, other)
    assert other.asked == 10


def test_calls_are_bounded(tmp_path):
    estimator = MeanEstimator()
    pose(tmp_path, [crop_of(number) for number in range(MOST_PEOPLE + 3)], estimator, per_shard=100)
    assert estimator.calls == [MOST_PEOPLE, 3]


def test_halved_batches_are_said_in_the_manifest(tmp_path):
    class Tight(MeanEstimator):
        def estimate_many(self, images, boxes):
            self.halvings += 1
            return super().estimate_many(images, boxes)

    pose(tmp_path, SAMPLES[:2], Tight())
    (remark,) = Manifest.read(tmp_path / "out/train").remarks
    assert remark.startswith("part-00000.parquet: the GPU ran out of memory and a batch was halved, 1 time(s)")
