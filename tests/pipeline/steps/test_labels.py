"""The steps edges, pose (annotated), heatmaps and shard on tables of a few crops."""

import io
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.geometry.affine import letterbox, transform_points
from pipeline.images import decode_map, encode_png
from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.rows import EDGE_SCHEMA, POSE_SCHEMA, SAMPLE_SCHEMA, sample_from_row, sample_row
from pipeline.shards.write import parquet_bytes
from pipeline.steps.annotated_pose import annotated_pose_step
from pipeline.steps.crop import annotated_step, single_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.edges import edges_step
from pipeline.steps.heatmaps import heatmaps_step
from pipeline.steps.samples import samples_step
from tests import builders
from tests.trainer.builders import make_sample

SAMPLES = [make_sample(0), make_sample(1, hw=(57, 31)), make_sample(2, keypoints=False, masked=False)]

EDGES = {"width": 3, "between_people": False}


def write_crops(folder, samples=SAMPLES):
    path = folder / "crops.parquet"
    path.write_bytes(parquet_bytes([sample_row(sample) for sample in samples], SAMPLE_SCHEMA, 2))
    return path


def rows(data):
    return pq.read_table(io.BytesIO(data)).to_pylist()


def save(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("width", [1, 3])
def test_edges_are_those_of_the_mask(tmp_path, width):
    data, report = edges_step(width, False, 2).work((write_crops(tmp_path),))
    found = rows(data)
    assert [row["sample_id"] for row in found] == [sample.sample_id for sample in SAMPLES]
    expected = [edge_map(sample.decode_mask(), width) for sample in SAMPLES[:2]]
    for row, edge in zip(found, expected, strict=False):
        assert np.array_equal(decode_map(row["edge"], "x"), edge) and edge.any()
    assert found[2]["edge"] is None
    assert report.counts["masks"] == 2 and report.records == 3
    assert report.counts["edge_pixels"] == sum(int(edge.sum()) for edge in expected)
    assert report.counts["pixels"] == 48 * 32 + 57 * 31


def test_borders_between_people_are_marked_where_asked(tmp_path):
    mask, people = np.full((9, 9), 5, np.uint8), np.zeros((9, 9), np.uint8)
    people[:, :4], people[:, 4:] = 1, 2
    mask[:, 7:] = 255
    people[:, 8:] = 3
    sample = replace(make_sample(0, hw=(9, 9)), mask=encode_png(mask), people_map=encode_png(people))
    path = write_crops(tmp_path, [sample])
    without, between = (
        decode_map(rows(edges_step(1, asked, 2).work((path,))[0])[0]["edge"], "x") for asked in (False, True)
    )
    assert not without.any()
    # The left pixel of the pair, and the diagonals' upper right one; nothing at the ignored columns.
    expected = np.zeros((9, 9), np.uint8)
    expected[:, 3], expected[:-1, 4] = 1, 1
    assert np.array_equal(between, expected)


TOUCHING = np.zeros((6, 12), np.uint8)
TOUCHING[1:5, 2:6], TOUCHING[1:5, 6:10] = 1, 2
SHIRTS = np.where(TOUCHING > 0, 5, 0).astype(np.uint8)


@pytest.mark.parametrize(
    "step, between",
    [
        (single_step(2), True),  # the whole image: both people are learned
        (annotated_step(CutRules("keep", 255, 0, 3.0), 2), True),
        (annotated_step(CutRules("black", 0, 0, 3.0), 2), False),  # nobody else in the picture
    ],
    ids=["whole image", "kept", "painted over"],
)
def test_people_in_the_same_shirt_are_told_apart_where_both_are_seen(tmp_path, step, between):
    images = builders.write_records(tmp_path / "images.parquet", [builders.record("im", mask=SHIRTS, people_map=TOUCHING,
        image=builders.image_pixels(6, 12))])  # fmt: skip
    path = save(tmp_path / "crops.parquet", step.work((images,))[0])
    crops = [sample_from_row(row) for row in rows(path.read_bytes())]
    plain, asked = (rows(edges_step(1, on, 2).work((path,))[0]) for on in (False, True))
    assert len(crops) == (1 if step.parameters["people"] == "single" else 2)
    for crop, without, found in zip(crops, plain, asked, strict=True):
        assert (crop.width, crop.height) == (12, 6)  # so wide a margin that the crop is the image
        edge = edge_map(crop.decode_mask(), 1)
        assert np.array_equal(decode_map(without["edge"], "x"), edge)
        # Column 5, the left of each pair and the upper left of the diagonals; column 6, the upper right ones.
        border = np.zeros((6, 12), np.uint8)
        border[1:5, 5], border[1:4, 6] = between, between
        assert np.array_equal(decode_map(found["edge"], "x"), edge | border)
        if step.parameters["people"] == "single":
            assert not edge[2:4, 4:8].any()  # the shirts' borders are around both


def write_pose(folder, samples=SAMPLES):
    data, report = annotated_pose_step(16, 2).work((write_crops(folder, samples),))
    return save(folder / "pose.parquet", data), report


def test_annotated_joints_pass_as_they_are(tmp_path):
    path, report = write_pose(tmp_path)
    found = rows(path.read_bytes())
    for row, sample in zip(found, SAMPLES, strict=True):
        expected = np.zeros((16, 3)) if sample.keypoints is None else sample.keypoints
        known = expected[:, 2] > 0
        assert np.array_equal(np.array(row["keypoints"], np.float32), expected.astype(np.float32))
        assert row["keypoint_origin"] == ["annotated" if one else "" for one in known]
        assert row["keypoint_confidence"] == known.astype(float).tolist()
    assert report.counts["annotated"] == 10 and report.records == 3


@pytest.mark.parametrize("convention, maps", [("corrpm", 16), ("mula", 17), ("exact", 16)])
def test_heatmaps_are_those_of_the_letterboxed_joints(tmp_path, convention, maps):
    pose, _ = write_pose(tmp_path)
    data, report = heatmaps_step((12, 8), 4, 1.5, "cells", convention, True).work((tmp_path / "crops.parquet", pose))
    archive = np.load(io.BytesIO(data))
    assert archive.files == [sample.sample_id for sample in SAMPLES]
    drawn = 0
    for sample in SAMPLES:
        keypoints = np.zeros((16, 3)) if sample.keypoints is None else sample.keypoints.astype(float)
        # Written out: scale to fit 48 x 32, centred, pixel centres at whole numbers.
        scale = min(48 / sample.height, 32 / sample.width)
        shift = (np.array([32 - scale * sample.width, 48 - scale * sample.height]) + scale - 1) / 2
        moved = np.column_stack([keypoints[:, :2] * scale + shift, keypoints[:, 2]])
        matrix = letterbox((sample.height, sample.width), (48, 32))
        np.testing.assert_allclose(transform_points(matrix, keypoints[:, :2]), moved[:, :2], atol=1e-9)
        expected = gaussian_heatmaps(moved, (12, 8), 4, 1.5, "cells", convention)
        found = archive[sample.sample_id]
        assert found.shape == (maps, 12, 8) and found.dtype == np.float16
        np.testing.assert_allclose(found, expected, atol=1e-3)
        drawn += int((expected[:16].max(axis=(1, 2)) > 0).sum())
    assert report.counts["drawn"] == drawn == 10 and report.records == 3


def test_a_shard_without_people_goes_all_the_way(tmp_path):
    crops = write_crops(tmp_path, [])
    edges = save(tmp_path / "edges.parquet", edges_step(3, False, 2).work((crops,))[0])
    pose = write_pose(tmp_path, [])[0]
    data, report = heatmaps_step((12, 8), 4, 1.5, None, "mula", True).work((crops, pose))
    assert np.load(io.BytesIO(data)).files == [] and (report.records, report.counts["drawn"]) == (0, 0)
    data, report = samples_step((48, 32), 2, EDGES).work((crops, edges, pose, tmp_path / "heatmaps.npz"))
    assert rows(data) == [] and report.records == 0


def test_uncompressed_heatmaps_are_stored(tmp_path):
    pose, _ = write_pose(tmp_path)
    data, _ = heatmaps_step((12, 8), 4, 1.5, None, "exact", False).work((tmp_path / "crops.parquet", pose))
    assert {info.compress_type for info in zipfile.ZipFile(io.BytesIO(data)).infolist()} == {zipfile.ZIP_STORED}


def write_all(folder):
    crops = write_crops(folder)
    pose, _ = write_pose(folder)
    edges = save(folder / "edges.parquet", edges_step(3, False, 2).work((crops,))[0])
    return crops, edges, pose, folder / "heatmaps-00000.npz"


def test_samples_join_crops_edges_and_joints(tmp_path):
    data, report = samples_step((48, 32), 2, EDGES).work(write_all(tmp_path))
    found = [sample_from_row(row) for row in rows(data)]
    assert [sample.sample_id for sample in found] == [sample.sample_id for sample in SAMPLES]
    for sample, source in zip(found, SAMPLES, strict=True):
        assert sample.image == source.image and sample.mask == source.mask and sample.source_id == source.source_id
        if source.mask is not None:
            assert np.array_equal(sample.decode_edge(), edge_map(source.decode_mask(), 3))
            assert np.array_equal(sample.keypoints, source.keypoints)
            assert sample.keypoint_origin[9] == "annotated" and sample.keypoint_confidence[9] == 1
        assert np.array_equal(sample.to_heatmap_input, letterbox((source.height, source.width), (48, 32)))
    counted = np.bincount(np.concatenate([s.decode_mask().ravel() for s in SAMPLES[:2]]), minlength=20)
    assert {key: count for key, count in report.counts.items()} == {
        f"class {index}": int(count) for index, count in enumerate(counted) if count
    }


def shuffled(path, schema):
    data = parquet_bytes(rows(path.read_bytes())[::-1], schema, 2)
    path.write_bytes(data)


@pytest.mark.parametrize("stage, schema", [(1, EDGE_SCHEMA), (2, POSE_SCHEMA)])
def test_labels_of_other_samples_are_never_joined(tmp_path, stage, schema):
    inputs = write_all(tmp_path)
    shuffled(inputs[stage], schema)
    with pytest.raises(DataError, match=rf"{inputs[stage].name}: holds other samples than .*crops\.parquet"):
        samples_step((48, 32), 2, EDGES).work(inputs)


def test_joints_of_other_samples_are_never_drawn(tmp_path):
    crops, _, pose, _ = write_all(tmp_path)
    shuffled(pose, POSE_SCHEMA)
    with pytest.raises(DataError, match=r"pose\.parquet: holds other samples than"):
        heatmaps_step((12, 8), 4, 1.5, None, "exact", True).work((crops, pose))


def test_a_step_is_keyed_by_what_decides_its_bytes():
    assert edges_step(3, False, 2).parameters == {"width": 3, "between_people": False, "row_group": 2}
    maps = heatmaps_step((12, 8), 4, 1.5, None, "exact", True).parameters
    assert maps == {
        "size": [12, 8], "stride": 4, "sigma": 1.5, "sigma_space": None, "convention": "exact", "compress": True,
    }  # fmt: skip
    expected = {"heatmap_input": [48, 32], "row_group": 2, "edges": EDGES}
    assert samples_step((48, 32), 2, EDGES).parameters == expected


def test_workers_of_the_label_steps_do_without_torch():
    modules = [edges_step, heatmaps_step, annotated_pose_step, samples_step, single_step, annotated_step]
    code = (
        "import sys\n" + "".join(f"import {one.__module__}\n" for one in modules) + "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
