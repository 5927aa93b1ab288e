"""What is written of a photo: formats, and that the files hold what memory holds, by CIHP's protocol."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pipeline.geometry.crop import Window
from pipeline.images import decode_map
from pipeline.records import People
from pipeline.shards.step import ShardReport
from pipeline.steps.cutting import CutRules
from pipeline.taxonomy import KEYPOINT_SETS
from tests.trainer.photos.builders import CIHP, scene
from trainer.metrics import ParsingMetrics, instance_part_ap
from trainer.photos.cutting import cut_people, photo_record, put_back, scene_of
from trainer.photos.files import coco_people, photo_files
from trainer.photos.people import Person, instances_of, part_map, person_map

LIP16 = KEYPOINT_SETS["lip16"]
THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))
SEEDS = (1, 2, 3)


def person(number, score, window, parts, part_scores=None, hw=(6, 8)):
    parts = np.asarray(parts, np.uint8)
    scores = part_scores or {int(part): score for part in np.unique(parts) if part}
    keypoints = np.zeros((16, 3), np.float32)
    keypoints[9] = (window.x0, window.y0, 0.5)
    box = np.array([window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0], np.float32)
    return Person(number, score, box, window, parts, keypoints, scores, hw)


def two_people():
    first = person(1, 0.9, Window(0, 1, 3, 3), [[5, 5, 0], [0, 9, 9]], {5: 0.75, 9: 0.5})
    second = person(2, 0.7, Window(2, 1, 5, 3), [[5, 0, 0], [0, 13, 0]])
    return [first, second]


def read_instances(files, name):
    """As CIHP's scorer reads a prediction: line n is the instance of value n."""
    ids = cv2.imdecode(np.frombuffer(files[f"instances/{name}.png"], np.uint8), cv2.IMREAD_UNCHANGED)
    lines = [line.split(" ") for line in files[f"instances/{name}.txt"].decode().splitlines()]
    return {
        "masks": ids == np.arange(1, len(lines) + 1)[:, None, None],
        "classes": np.array([int(line[0]) for line in lines], np.int64),
        "scores": np.array([float(line[1]) for line in lines]),
    }


def test_maps_and_instances_by_hand():
    files = photo_files("sub/a", np.zeros((6, 8, 3), np.uint8), two_people(), CIHP, LIP16)
    assert sorted(files) == [
        "instances/sub/a.png",
        "instances/sub/a.txt",
        "overlays/sub/a.jpg",
        "parts/sub/a.png",
        "people/sub/a.png",
    ]
    parts = np.zeros((6, 8), int)
    parts[1, :3], parts[2, 1:3], parts[2, 3] = 5, 9, 13
    people = np.where(parts > 0, 1, 0)
    people[1, 2] = people[2, 3] = 2
    assert np.array_equal(decode_map(files["parts/sub/a.png"], "a"), parts)
    assert np.array_equal(decode_map(files["people/sub/a.png"], "a"), people)
    assert files["instances/sub/a.txt"] == b"5 0.75\n9 0.5\n5 0.7\n13 0.7\n"
    found = read_instances(files, "sub/a")
    assert [np.argwhere(mask).tolist() for mask in found["masks"]] == [
        [[1, 0], [1, 1]],
        [[2, 1], [2, 2]],
        [[1, 2]],
        [[2, 3]],
    ]


def test_the_part_map_shows_the_label_sets_colours():
    image = Image.open(
        io.BytesIO(photo_files("a", np.zeros((6, 8, 3), np.uint8), two_people(), CIHP, LIP16)["parts/a.png"])
    )
    assert image.mode == "P" and tuple(np.array(image.convert("RGB"))[1, 0]) == tuple(CIHP.palette[5])


def test_cocos_annotations_are_masks_boxes_scores_and_joints_of_the_photo():
    first, second = coco_people(two_people(), 0.5)
    assert first["bbox"] == [0, 1, 3, 2] and first["area"] == 4 and first["score"] == 0.9 and first["person"] == 1
    assert second["bbox"] == [2, 1, 2, 2] and second["found_bbox"] == [2, 1, 3, 2] and second["category_id"] == 1
    mask = coco_mask.decode(first["segmentation"])
    assert np.array_equal(np.argwhere(mask), [[1, 0], [1, 1], [2, 1], [2, 2]])
    assert coco_mask.toBbox(second["segmentation"]).tolist() == second["bbox"]
    assert first["keypoints"][27:30] == [0, 1, 0.5] and first["num_keypoints"] == 1
    assert coco_people(two_people(), 0.6)[0]["num_keypoints"] == 0


def test_a_person_without_a_pixel_has_an_empty_mask_and_the_detectors_box():
    nobody = person(1, 0.9, Window(1, 1, 3, 3), np.zeros((2, 2)))
    (one,) = coco_people([nobody], 0.5)
    assert one["area"] == 0 and one["bbox"] == [1, 1, 2, 2] and not coco_mask.decode(one["segmentation"]).any()
    files = photo_files("a", np.zeros((6, 8, 3), np.uint8), [nobody], CIHP, LIP16)
    assert files["instances/a.txt"] == b"" and not decode_map(files["instances/a.png"], "a").any()


def test_more_than_255_part_instances_get_16_bits():
    people = [person(n, 0.5, Window(0, n, 19, n + 1), [np.arange(1, 20)], hw=(20, 20)) for n in range(1, 15)]
    files = photo_files("a", np.zeros((20, 20, 3), np.uint8), people, CIHP, LIP16)
    found = read_instances(files, "a")
    assert len(found["scores"]) == 266 and found["masks"].sum(axis=(1, 2)).tolist() == [1] * 266


def judged(pairs):
    """Mean IoU and AP^r of (part map, instances) against (part map, instances)."""
    metrics = ParsingMetrics(len(CIHP))
    for (parts, _), (truth, _) in pairs:
        metrics.update(parts, truth)
    found, true = ([side[1] for side in sides] for sides in zip(*pairs, strict=True))
    return metrics.compute()["mean_iou"], instance_part_ap(found, true, THRESHOLDS, len(CIHP))


def truth_of(parts, ids):
    """The truth of a scene, by a loop over its people and classes."""
    parts = np.where(ids > 0, parts, 0)
    keys = [(who, part) for who in np.unique(ids)[1:] for part in np.unique(parts[ids == who]) if part]
    masks = [(ids == who) & (parts == part) for who, part in keys]
    return parts, {"masks": np.array(masks), "classes": np.array([int(part) for _, part in keys])}


def from_files(people, image):
    files = photo_files("a", image, people, CIHP, LIP16)
    return decode_map(files["parts/a.png"], "a"), read_instances(files, "a")


def true_people(image, parts, ids):
    """The truth as a prediction, cut out and put back."""
    record = photo_record("a", b"", image)
    cuts = cut_people(scene_of(record, image, People.from_id_map(ids), {}), CutRules("black", 0, 0, 0.2), ShardReport())
    windows = [
        Window(*cut.to_source[:, 2].astype(int), *(cut.to_source[:, 2] + cut.figure.shape[::-1]).astype(int))
        for cut in cuts
    ]
    masks = [
        np.where(window.cut(ids) == cut.person, window.cut(parts), 0) for cut, window in zip(cuts, windows, strict=True)
    ]
    back = put_back(cuts, masks, ids.shape)
    return [
        person(cut.person, 1.0, window, own, hw=ids.shape) for cut, window, own in zip(cuts, windows, back, strict=True)
    ]


def scored_both_ways(scenes):
    """The scores of (people, image, parts, ids) by the files, and by what is in memory."""
    by_files, in_memory = [], []
    for people, image, parts, ids in scenes:
        found, scores = instances_of(people, ids.shape)
        memory = part_map(people, ids.shape), {"masks": found.masks, "classes": found.classes, "scores": scores}
        by_files.append((from_files(people, image), truth_of(parts, ids)))
        in_memory.append((memory, truth_of(parts, ids)))
    return judged(by_files), judged(in_memory)


def test_what_a_parser_finds_scores_the_same_from_its_files_and_from_memory(parser):
    image, parts, ids = scene(1, 3)
    people = parser.predict(image)
    assert len(people) >= 2
    files, memory = scored_both_ways([(people, image, parts, ids)])
    assert files == memory and 0 < files[0] < 100


def test_half_right_people_score_the_same_from_their_files_and_from_memory():
    random, scenes = np.random.default_rng(0), []
    for seed in SEEDS:
        image, parts, ids = scene(seed, 3)
        coarse = np.kron(random.random((40, 50)) < 0.25, np.ones((4, 4), bool))
        worse = np.where((parts > 0) & coarse, random.integers(1, 20, parts.shape), parts).astype(np.uint8)
        people = [
            replace(one, part_scores={part: float(random.random()) for part in one.part_scores})
            for one in true_people(image, worse, ids)
        ]
        scenes.append((people, image, parts, ids))
    files, memory = scored_both_ways(scenes)
    assert files == memory and 30 < files[0] < 95 and 5 < files[1]["mean"] < 95


def test_the_truth_as_a_prediction_scores_100():
    pairs = []
    for seed in SEEDS:
        image, parts, ids = scene(seed, 4)
        people = true_people(image, parts, ids)
        assert np.array_equal(person_map(people, ids.shape), np.where(parts > 0, ids, 0))
        pairs.append((from_files(people, image), truth_of(parts, ids)))
    mean_iou, ap = judged(pairs)
    assert mean_iou == pytest.approx(100) and ap["mean"] == pytest.approx(100) and set(ap["ap"]) == set(THRESHOLDS)
