"""Whole images beside their crops: in the model's sets, each once, shared without a gap."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.records import People
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests.trainer.protocols.builders import HW, cut, make_record, write_set
from trainer.predict import Answer
from trainer.protocols.images import Assembler, Place, SourceImage, SourceImages, assembled, crops_of
from trainer.ranks import share

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    records = [make_record(index, classes=20, joints="coco17") for index in range(8)]
    return write_set(tmp_path_factory.mktemp("cihp"), records, label_set="cihp", joints="coco17") / "ingest/people/val"


def test_labels_come_in_the_model_s_sets(folder):
    with pytest.raises(
        ParamsError, match=r"train\.label_set: .*Name the class and its place in train\.label_maps\.cihp"
    ):
        SourceImages([folder], LABEL_SETS["atr"], LIP16)
    images = SourceImages([folder], LIP, LIP16, {"cihp": {"torso-skin": "ignore", "hat": "ignore"}})
    seen = 0
    for index, (key, image) in enumerate(images.read(range(8))):
        record = make_record(index, classes=20, joints="coco17")
        assert key == (0, record.sample_id) and image.record.image == b""
        left_out = np.isin(record.decode_mask(), (1, 10))
        seen += left_out.sum()
        assert np.array_equal(image.parts, np.where(left_out, 255, record.decode_mask()))
        hips = image.keypoints[:, LIP16.keypoint_names.index("left-hip")]
        assert np.array_equal(hips, record.people.keypoints[:, 11].reshape(-1, 3))
        assert not image.keypoints[:, LIP16.keypoint_names.index("head-top")].any()
    assert seen > 0 and index == 7


def test_a_share_of_two_sets_is_read_in_order(folder):
    images = SourceImages([folder, folder], LABEL_SETS["cihp"], LIP16)
    keys = images.keys()
    assert len(images) == len(keys) == 16 and keys[8] == (1, keys[0][1])
    assert [key for key, _ in images.read(range(6, 11))] == keys[6:11]


def test_everyone_s_crops_are_those_of_their_images():
    images = [(0, "a"), (0, "b"), (0, "c"), (1, "a"), (1, "d")]
    crops = [(0, "a"), (0, "a"), (0, "c"), (1, "a"), (1, "d"), (1, "d"), (1, "d")]
    for ranks in (1, 2, 3, 5, 8):
        shares = [share(len(images), rank, ranks) for rank in range(ranks)]
        found = [crops_of(one, images, crops) for one in shares]
        assert [crop for one in found for crop in one] == list(range(len(crops)))
        for one, rows in zip(shares, found, strict=True):
            assert {crops[row] for row in rows} <= {images[place] for place in one}
    for wrong in ([(0, "c"), (0, "a")], [(0, "z")], [(1, "b")]):
        with pytest.raises(DataError, match=r"its crops are not those of data/ingest"):
            crops_of(range(5), images, wrong)


def test_every_image_is_given_once_with_its_people(folder):
    images = SourceImages([folder], LABEL_SETS["cihp"], KEYPOINT_SETS["coco17"])
    given = []
    assembler = Assembler(images.read(range(8)), given.append)
    for index in range(8):
        for sample in cut(make_record(index, classes=20, joints="coco17")):
            mask = sample.decode_mask()
            place = Place((0, sample.source_id), 1.0, sample.to_source, sample.decode_people() == sample.person)
            assembler.add(place, Answer(mask, np.zeros((17, 3)), np.full(mask.shape, 0.5, np.float32)))
            assert len(given) <= index
    assembler.finish()
    assert [image.source.record.sample_id for image in given] == [f"{index:012d}" for index in range(8)]
    assert [len(image.scores) for image in given] == [2, 2, 2, 0, 2, 2, 2, 0]
    for image in given:
        assert np.array_equal(image.pasted.parts, image.source.parts)
        assert image.keypoints.shape[0] == len(image.scores)
        assert np.array_equal(image.confidence, np.where(image.pasted.people > 0, np.float32(0.5), 0))


def test_a_part_s_score_is_the_person_s_times_its_pixels_mean():
    record = make_record(3, people=0)
    source = SourceImage(record, record.decode_mask(), None)
    mask = np.array([[1, 1, 2, 0]], np.uint8)
    sure = np.array([[0.5, 1.0, 0.25, 0.9]], np.float32)
    place = Place((0, "a"), 0.8, np.array([[1.0, 0, 5], [0, 1, 7]]), None)
    image = assembled(source, [(place, Answer(mask, np.array([[1.0, 2.0, 0.3]]), sure))])
    assert image.instances.classes.tolist() == [1, 2]
    np.testing.assert_allclose(image.instance_scores, [0.8 * 0.75, 0.8 * 0.25])
    assert image.keypoints.tolist() == [[[6.0, 9.0, 0.3]]]
    assert image.pasted.parts[7, 5:9].tolist() == [1, 1, 2, 0] and image.pasted.parts.shape == HW


def test_people_known_by_masks_alone_have_ids_the_smaller_on_top():
    big, small = np.zeros((2, *HW), bool)
    big[5:30, 5:40], small[10:20, 10:20] = True, True
    ids = np.zeros(HW, np.uint8)
    ids[big], ids[small] = 1, 2
    both = [People.from_id_map(mask.astype(np.uint8)).rles[0] for mask in (small, big)]
    people = People.build([2, 1], [[10, 10, 10, 10], [5, 5, 35, 25]], rles=both)
    record = make_record(0)
    drawn = type(record)(**{**vars(record), "people_map": None, "people": people})
    assert np.array_equal(drawn.person_ids(), ids)
    crowd = People.build([2, 1], people.boxes, rles=both, crowd=[False, True])
    only = type(record)(**{**vars(record), "people_map": None, "people": crowd}).person_ids()
    assert np.array_equal(only, np.where(small, 2, 0))
