"""A published LIP photo and 500 of its pose rows, and published COCO people: labels equal to pycocotools and the definition."""

import contextlib
import csv
import io
import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO as CocoApi

from pipeline.datasets.coco import coco_items
from pipeline.datasets.layout import read_item
from pipeline.datasets.lip import lip_items, parse_pose_csv
from pipeline.images import decode_map
from pipeline.labels import edge_map
from pipeline.records import People
from pipeline.rows import sample_from_row
from pipeline.sources.archives import Archives
from pipeline.steps.crop import annotated_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.edges import edges_step
from pipeline.taxonomy import LABEL_SETS
from tests import builders
from tests.pipeline.labels.test_edges import edge_map_by_shifts

LIP, COCO = builders.REAL / "lip", builders.REAL / "coco"
pytestmark = pytest.mark.skipif(not builders.REAL.is_dir(), reason=f"no real samples at {builders.REAL}")


@pytest.mark.parametrize("width", [1, 3, 5, 7])
def test_edges_of_the_published_lip_mask_are_those_of_the_definition(width):
    mask = decode_map((LIP / "train_segmentations/684_2150041.png").read_bytes(), "mask")
    found = edge_map(mask, width)
    assert np.array_equal(found, edge_map_by_shifts(mask, width)) and 0.001 < found.mean() < 0.5
    back = edge_map(mask[:, ::-1].copy(), width)[:, ::-1]
    for one, other in ((found, back), (back, found)):
        near = np.pad(other, ((0, 0), (1, 1)))
        assert not (one & (1 - (near[:, :-2] | near[:, 1:-1] | near[:, 2:]))).any()


def test_joints_and_flags_of_500_published_rows_are_what_the_file_says():
    path = LIP / "lip_val_set.head500.csv"
    text = path.read_text()
    ours = parse_pose_csv(text, path.name)
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == len(ours) == 500
    seen = {0: 0, 1: 0, None: 0}
    for name, *fields in rows:
        assert name.endswith(".jpg") and len(fields) == 48
        joints = np.array(ours[name.removesuffix(".jpg")]).reshape(16, 3)
        for joint in range(16):
            x, y, flag = (float(field) for field in fields[3 * joint : 3 * joint + 3])
            if math.isnan(x):
                assert joints[joint].tolist() == [0, 0, 0]
                seen[None] += 1
            else:
                # The file: 0 visible, 1 occluded. Ours, as COCO: 2 visible, 1 occluded.
                assert joints[joint].tolist() == [x, y, {0: 2, 1: 1}[int(flag)]]
                seen[int(flag)] += 1
    assert sum(seen.values()) == 8000 and min(seen.values()) > 300


def test_the_published_lip_photo_keeps_mask_and_joints_on_the_way(tmp_path):
    name = "684_2150041"
    image = (LIP / f"train_images/{name}.jpg").read_bytes()
    mask = (LIP / f"train_segmentations/{name}.png").read_bytes()
    rows = csv.reader(io.StringIO((LIP / "lip_val_set.head500.csv").read_text()))
    _, *fields = next(rows)
    builders.write_lip(tmp_path, {name: image}, {name: mask}, [[f"{name}.jpg", *fields]])
    archives = Archives(tmp_path)
    (item,) = lip_items(archives, "train")
    record = read_item(archives, item, "lip", "train", LABEL_SETS["lip"])
    assert record.people.boxes.tolist() == [[0, 0, record.width, record.height]]
    truth = np.array([float(field) for field in fields]).reshape(16, 3)
    known = ~np.isnan(truth[:, 0])
    assert np.array_equal(record.people.keypoints[0][known, :2], truth[known, :2].astype(np.float32))
    assert np.array_equal(record.people.keypoints[0][:, 2] > 0, known)


@pytest.fixture
def people(tmp_path):
    """Records of the published photos, and pycocotools' own reading of them."""
    content = json.loads((COCO / "person_keypoints.json").read_text())
    images = {image["file_name"]: (COCO / image["file_name"]).read_bytes() for image in content["images"]}
    builders.write_coco(tmp_path, images, content)
    archives = Archives(tmp_path)
    records = [read_item(archives, one, "coco", "val", LABEL_SETS["person"]) for one in coco_items(archives, "val")]
    with contextlib.redirect_stdout(io.StringIO()):
        api = CocoApi(str(COCO / "person_keypoints.json"))
    return records, api


def annotations_of(record, api):
    image = next(one for one in api.dataset["images"] if one["file_name"] == f"{record.sample_id}.jpg")
    return [one for one in api.dataset["annotations"] if one["image_id"] == image["id"]]


def test_masks_boxes_and_edges_of_published_people_equal_pycocotools_and_the_definition(people):
    records, api = people
    seen = 0
    for record in records:
        ids = record.decode_people()
        tight = People.from_id_map(ids)
        for row, annotation in enumerate(annotations_of(record, api)):
            theirs = api.annToMask(annotation).astype(bool)
            assert np.array_equal(record.people.mask(row), theirs)
            assert record.people.boxes[row].tolist() == np.float32(annotation["bbox"]).tolist()
            # The box of the mask, whose four sides are those of the polygon's box to the pixel.
            box = coco_mask.toBbox(record.people.rles[row])
            ys, xs = np.nonzero(theirs)
            assert box.tolist() == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            x, y, wide, high = annotation["bbox"]
            assert np.abs([*box[:2], *(box[:2] + box[2:])] - np.array([x, y, x + wide, y + high])).max() < 1
            visible = ids == row + 1
            assert visible.sum() > 0 and not (visible & ~theirs).any()
            ys, xs = np.nonzero(visible)
            assert tight.boxes[row].tolist() == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            seen += 1
        for width in (1, 3, 5):
            mask = record.decode_mask()
            assert np.array_equal(edge_map(mask, width), edge_map_by_shifts(mask, width))
            assert np.array_equal(edge_map(ids, width), edge_map_by_shifts(ids, width)) and edge_map(ids, width).any()
    assert seen == 6


def test_crops_of_published_people_lead_back_to_their_masks_and_joints(tmp_path, people):
    records, api = people
    path = builders.write_records(tmp_path / "images.parquet", records)
    data, report = annotated_step(CutRules(others="black", others_label=0, min_area=0, expand=0.2), 2).work((path,))
    crops = [sample_from_row(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    (tmp_path / "crops.parquet").write_bytes(data)
    edges = pq.read_table(io.BytesIO(edges_step(3, False, 2).work((tmp_path / "crops.parquet",))[0])).to_pylist()
    truths = {
        (record.sample_id, row + 1): one for record in records for row, one in enumerate(annotations_of(record, api))
    }
    ids = {record.sample_id: record.decode_people() for record in records}
    assert report.records == len(crops) == len(truths) == 6
    for crop, edge in zip(crops, edges, strict=True):
        truth = truths[crop.source_id, crop.person]
        x, y = crop.to_source[:, 2].astype(int)
        assert crop.to_source.tolist() == [[1, 0, x], [0, 1, y]]
        rows, columns = np.nonzero(ids[crop.source_id] == crop.person)
        assert crop.box.tolist() == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        own = ids[crop.source_id][y : y + crop.height, x : x + crop.width] == crop.person
        theirs = api.annToMask(truth)[y : y + crop.height, x : x + crop.width].astype(bool)
        assert own.any() and not (own & ~theirs).any()
        assert np.array_equal(crop.decode_mask() == 1, own) and np.array_equal(crop.decode_people() == crop.person, own)
        assert np.array_equal(decode_map(edge["edge"], "edge"), edge_map_by_shifts(crop.decode_mask(), 3))
        joints = np.array(truth["keypoints"], np.float32).reshape(17, 3)
        known = joints[:, 2] > 0
        assert np.array_equal(crop.keypoints[:, 2], joints[:, 2]) and known.sum() >= 13
        assert np.array_equal(crop.keypoints[known, :2] + (x, y), joints[known, :2])
