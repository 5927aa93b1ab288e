"""Every drawn layout through ingest and crop: each image and each annotated person is a record or a listed outcome."""

import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.datasets.layout import ReaderOptions
from pipeline.datasets.registry import LAYOUTS
from pipeline.datasets.sample.archives import write_archives
from pipeline.geometry.crop import paste_back
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.rows import image_from_row, sample_from_row
from pipeline.sources.archives import Archives
from pipeline.steps.crop import Selection, annotated_step, found_step, single_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.detecting import RawPeople
from pipeline.steps.ingest import ingest_shards, ingest_step

IMAGES = {"train": 4, "val": 2}
RULES = CutRules(others="black", others_label=0, min_area=60, expand=0.2)
SINGLE = {"lip", "atr"}


def rows(data, from_row):
    return [from_row(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]


@pytest.fixture(scope="module", params=["lip", "cihp", "atr", "pascal", "coco"])
def ingested(request, tmp_path_factory):
    """Name of the layout, its records, and (path, report) of its shards."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    write_archives(name, folder / "raw", IMAGES, seed=3)
    options = ReaderOptions(seed=3, splits=tuple(IMAGES), people="single" if name in SINGLE else "many")
    step = ingest_step(folder / "raw", name, "person" if name == "coco" else name, 2, name)
    records, shards = [], []
    for number, shard in enumerate(ingest_shards(Archives(folder / "raw"), name, list(IMAGES), 3, options)):
        data, report = step.work(shard.inputs)
        path = folder / f"{number}.parquet"
        path.write_bytes(data)
        records += rows(data, image_from_row)
        shards.append((path, report))
    return name, records, shards


def test_every_image_is_a_record_and_every_person_is_counted(ingested):
    name, records, shards = ingested
    assert [report.rejects for _, report in shards] == [[]] * len(shards)
    assert sum(report.records for _, report in shards) == len(records) == sum(IMAGES.values())
    assert len({record.sample_id for record in records}) == len(records)
    people = sum(int((~record.people.crowd).sum()) for record in records)
    assert sum(report.counts["people"] for _, report in shards) == people >= len(records) * (name in SINGLE)
    assert all(record.mask is not None for record in records)
    if LAYOUTS[name].keypoint_sets:
        assert sum(report.counts["keypoints"] for _, report in shards) > 0


def test_every_annotated_person_is_a_crop_or_a_listed_outcome(ingested):
    name, records, shards = ingested
    step = single_step(2) if name in SINGLE else annotated_step(RULES, 2)
    crops, outcomes = [], []
    for path, _ in shards:
        data, report = step.work((path,))
        crops += rows(data, sample_from_row)
        outcomes += [one for one in report.outcomes if one.reason != "nobody was found"]
    people = sum(int((~record.people.crowd).sum()) for record in records)
    assert len(crops) + len(outcomes) == people
    if name == "pascal":  # only boxes are known, and the person ids alone cut nothing
        assert not crops and {one.reason.split(";")[0] for one in outcomes} == {
            "an annotated person of whom no pixel is known"
        }
    else:
        assert len(crops) > 0.8 * people


@pytest.mark.parametrize("ingested", ["cihp", "coco"], indirect=True)
@pytest.mark.parametrize("others, label", [("black", 0), ("keep", 255)])
def test_people_put_back_are_the_people_that_were_cut_out(ingested, others, label):
    _, records, shards = ingested
    by_id = {record.sample_id: record for record in records}
    step = annotated_step(replace(RULES, others=others, others_label=label), 2)
    crops = [sample for path, _ in shards for sample in rows(step.work((path,))[0], sample_from_row)]
    for sample in crops:
        record = by_id[sample.source_id]
        image_hw = (record.height, record.width)
        person = record.decode_people() == sample.person
        back = paste_back(sample.decode_people() == sample.person, sample.to_source, image_hw)
        assert (back & person).sum() / (back | person).sum() >= 0.995
        assert np.array_equal(back, person)  # nothing is resampled
        labels = paste_back(sample.decode_mask(), sample.to_source, image_hw)
        assert np.array_equal(labels[person], record.decode_mask()[person])
        pixels = paste_back(sample.decode_image(), sample.to_source, image_hw)
        assert np.abs(pixels[person].astype(int) - record.decode_image()[person]).mean() < 4  # JPEG
    assert len(crops) >= 6


class OracleDetector:
    """Finds what the part masks show: one person per annotated box, its pixels the labelled ones inside."""

    teacher_id = "oracle"
    halvings = 0

    def __init__(self, records):
        self.by_image = {record.decode_image().tobytes(): record for record in records}

    def detect(self, image):
        record = self.by_image[image.tobytes()]
        mask, rles = record.decode_mask(), []
        for x, y, width, height in record.people.boxes.astype(int):
            inside = np.zeros(mask.shape, bool)
            inside[y : y + height, x : x + width] = True
            rles.append(encode_rle(inside & (mask > 0)))
        # Worst first, so that the order of the detections is not that of the annotations.
        order = list(range(len(rles)))[::-1]
        return People.build(
            [place + 1 for place in range(len(order))], record.people.boxes[order] if order else [],
            scores=[0.9 - 0.01 * place for place in range(len(order))], rles=[rles[row] for row in order],
        )  # fmt: skip

    def detect_many(self, images):
        return [self.detect(image) for image in images]


@pytest.mark.parametrize("ingested", ["pascal"], indirect=True)
def test_joints_of_people_known_by_their_boxes_go_along_with_the_detections(ingested, tmp_path):
    _, records, shards = ingested
    step = found_step(RULES, Selection(0.5, 0.5), RawPeople(OracleDetector(records), tmp_path), 2)
    seen = crops = outcomes = 0
    by_id = {record.sample_id: record for record in records}
    for path, _ in shards:
        data, report = step.work((path,))
        missed = [one for one in report.outcomes if "missed" in one.reason]
        outcomes += len(missed)
        for sample in rows(data, sample_from_row):
            crops += 1
            people = by_id[sample.source_id].people
            if not len(people):
                assert sample.keypoints is None
                continue
            row = next(r for r in range(len(people)) if np.array_equal(people.boxes[r], sample.box))
            known = people.keypoints[row][:, 2] > 0
            shifted = people.keypoints[row][known, :2] - sample.to_source[:, 2]
            assert np.allclose(sample.keypoints[known, :2], shifted) and not sample.keypoints[~known].any()
            ids = sample.decode_people()
            assert ids is not None and set(np.unique(ids)) <= {0, sample.person}
            seen += 1
        assert report.counts["matched"] + report.counts["missed"] == sum(
            len(record.people) for record in rows(path.read_bytes(), image_from_row)
        )
    assert seen >= 4 and crops >= seen
