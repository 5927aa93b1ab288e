import numpy as np
import pytest

from pipeline.taxonomy import (
    KEYPOINT_SETS,
    LABEL_SETS,
    KeypointSet,
    LabelSet,
    convert_keypoints,
    keypoint_set,
    label_set,
    voc_palette,
)

LIP, COCO, PASCAL = KEYPOINT_SETS["lip16"], KEYPOINT_SETS["coco17"], KEYPOINT_SETS["pascal14"]


def pairs(swap: np.ndarray) -> set[tuple[int, int]]:
    return {(i, int(j)) for i, j in enumerate(swap) if i < j}


@pytest.mark.parametrize(
    "name, count, expected",
    [
        ("lip", 20, {(14, 15), (16, 17), (18, 19)}),
        ("cihp", 20, {(14, 15), (16, 17), (18, 19)}),
        ("atr", 18, {(9, 10), (12, 13), (14, 15)}),
        ("pascal", 7, set()),
        ("mhp", 59, {(5, 6), (7, 8), (22, 23), (24, 25), (26, 27), (28, 29), (30, 31), (32, 33)}),
        ("person", 2, set()),
    ],
)
def test_label_flips_are_those_of_the_published_sets(name, count, expected):
    labels = LABEL_SETS[name]
    assert len(labels) == count
    assert pairs(labels.hflip_lut) == expected
    assert np.array_equal(labels.hflip_lut[labels.hflip_lut], np.arange(256))
    assert labels.hflip_lut[255] == 255


def test_class_ids_are_the_published_ones():
    lip, cihp, atr = (LABEL_SETS[name] for name in ("lip", "cihp", "atr"))
    assert [lip.id(name) for name in ("hat", "jumpsuits", "face", "left-arm", "right-shoe")] == [1, 10, 13, 14, 19]
    assert cihp.id("torso-skin") == 10 and "jumpsuits" not in cihp.part_names
    assert [atr.id(name) for name in ("belt", "left-shoe", "face", "bag", "scarf")] == [8, 9, 11, 16, 17]
    assert LABEL_SETS["pascal"].part_names[2] == "torso"
    assert LABEL_SETS["mhp"].id("torso-skin") == 16 and LABEL_SETS["mhp"].id("wallet-purse") == 52
    with pytest.raises(ValueError, match="'lip' has no class 'belt'; it has background, hat"):
        lip.id("belt")


@pytest.mark.parametrize(
    "keypoints, expected",
    [
        (LIP, {(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)}),
        (COCO, {(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)}),
        (PASCAL, {(2, 8), (3, 9), (4, 10), (5, 11), (6, 12), (7, 13)}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_keypoint_flips_are_those_of_the_published_sets(keypoints, expected):
    assert pairs(keypoints.hflip_index) == expected
    assert np.array_equal(keypoints.hflip_index[keypoints.hflip_index], np.arange(len(keypoints)))


def test_keypoint_orders_are_the_published_ones():
    assert [LIP.keypoint_names[joint] for joint in (0, 6, 7, 8, 9, 10, 15)] == [
        "right-ankle", "pelvis", "thorax", "neck", "head-top", "right-wrist", "left-wrist",
    ]  # fmt: skip
    assert [COCO.keypoint_names[joint] for joint in (0, 1, 6, 16)] == [
        "nose", "left-eye", "right-shoulder", "right-ankle",
    ]  # fmt: skip
    assert [PASCAL.keypoint_names[joint] for joint in (0, 1, 2, 13)] == [
        "forehead", "neck", "left-shoulder", "right-ankle",
    ]  # fmt: skip
    assert (len(LIP), len(COCO), len(PASCAL)) == (16, 17, 14)


def test_limbs_connect_joints_of_their_set_without_crossing_sides_of_an_arm():
    for keypoints in KEYPOINT_SETS.values():
        for (a, b), names in zip(keypoints.limb_indices, keypoints.limbs, strict=True):
            assert (keypoints.keypoint_names[a], keypoints.keypoint_names[b]) == names and a != b
    assert (LIP.keypoint_names.index("left-elbow"), LIP.keypoint_names.index("left-wrist")) in LIP.limb_indices


def test_a_side_without_its_other_is_refused():
    with pytest.raises(ValueError, match="label set 'half': 'left-arm' has no counterpart 'right-arm'"):
        LabelSet("half", ("background", "left-arm"))
    with pytest.raises(ValueError, match="keypoint set 'half': 'right-hip' has no counterpart 'left-hip'"):
        KeypointSet("half", ("right-hip",), ())


@pytest.mark.parametrize(
    "names, message",
    [
        (("background",), "1 classes, expected 2 to 255"),
        (tuple(f"c{i}" for i in range(256)), "256 classes, expected 2 to 255"),
        (("background", "hat", "hat"), "names are not unique"),
    ],
)
def test_impossible_label_sets_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        LabelSet("odd", names)


def test_a_map_between_sets_gives_every_id_a_place():
    lip, cihp = LABEL_SETS["lip"], LABEL_SETS["cihp"]
    lut = lip.lut_to(cihp, {"jumpsuits": "ignore"})
    assert lut.shape == (256,) and lut.dtype == np.uint8
    expected = np.full(256, 255)
    expected[:20] = [*range(10), 255, *range(11, 20)]
    assert np.array_equal(lut, expected)
    assert cihp.lut_to(lip, {"torso-skin": "upper-clothes"})[10] == 5
    assert np.array_equal(lip.lut_to(lip)[:20], np.arange(20))


def test_a_map_follows_names_and_not_numbers():
    lut = LABEL_SETS["atr"].lut_to(LABEL_SETS["lip"], {"belt": "background", "bag": "ignore"})
    assert [int(lut[i]) for i in (0, 8, 9, 10, 11, 14, 16, 17)] == [0, 0, 18, 19, 13, 14, 255, 11]
    assert (lut[18:] == 255).all()


def test_a_class_without_a_place_is_refused():
    with pytest.raises(ValueError, match=r"'cihp': class 'torso-skin' has no place in 'lip'; map it"):
        LABEL_SETS["cihp"].lut_to(LABEL_SETS["lip"])
    with pytest.raises(ValueError, match="class 'jumpsuits' has no place in 'cihp'"):
        LABEL_SETS["lip"].lut_to(LABEL_SETS["cihp"], {"jumpsuits": "overall"})
    with pytest.raises(ValueError, match="'lip' has no class 'jumpsuit'"):
        LABEL_SETS["lip"].lut_to(LABEL_SETS["lip"], {"jumpsuit": "ignore"})


def test_voc_palette_colours():
    palette = voc_palette()
    assert palette.shape == (256, 3)
    assert palette[:8].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128], [128, 128, 128],
    ]  # fmt: skip
    assert palette[15].tolist() == [192, 128, 128] and palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256
    # What a reader sees who takes the palette picture of PASCAL-Person-Part for grey (BT.601).
    grey = np.floor(palette[1:7] @ np.array([0.299, 0.587, 0.114])).astype(int)
    assert grey.tolist() == [38, 75, 113, 14, 52, 89]


NO = None
KEYPOINT_TABLES = {
    ("coco17", "lip16"): [16, 14, 12, 11, 13, 15, NO, NO, NO, NO, 10, 8, 6, 5, 7, 9],
    ("lip16", "coco17"): [NO, NO, NO, NO, NO, 13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0],
    ("coco17", "pascal14"): [NO, NO, 5, 7, 9, 11, 13, 15, 6, 8, 10, 12, 14, 16],
    ("pascal14", "coco17"): [NO, NO, NO, NO, NO, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12, 7, 13],
    ("lip16", "pascal14"): [NO, 8, 13, 14, 15, 3, 4, 5, 12, 11, 10, 2, 1, 0],
    ("pascal14", "lip16"): [13, 12, 11, 5, 6, 7, NO, NO, 1, NO, 10, 9, 8, 2, 3, 4],
}
"""By hand from the published orders of joints: place in the target set -> place in the source set."""


@pytest.mark.parametrize("pair", KEYPOINT_TABLES, ids="-".join)
def test_keypoints_pass_by_name_and_what_has_no_counterpart_is_missing(pair):
    source, target = (KEYPOINT_SETS[name] for name in pair)
    places = np.arange(len(source))
    points = np.column_stack([places + 1, 100 - places, 1 + places % 2]).astype(np.float32)
    found = convert_keypoints(points, source, target)
    expected = [[0, 0, 0] if place is None else points[place].tolist() for place in KEYPOINT_TABLES[pair]]
    assert found.tolist() == expected


def test_every_pair_of_keypoint_sets_has_its_table():
    assert set(KEYPOINT_TABLES) == {(one, other) for one in KEYPOINT_SETS for other in KEYPOINT_SETS if one != other}


def test_keypoints_of_many_people_and_back():
    points = np.random.default_rng(0).uniform(0, 9, (4, 5, 14, 3)).astype(np.float32)
    there = convert_keypoints(points, PASCAL, LIP)
    assert there.shape == (4, 5, 16, 3) and there.dtype == np.float32
    back = convert_keypoints(there, LIP, PASCAL)
    assert np.array_equal(back[..., 1:, :], points[..., 1:, :]) and not back[..., 0, :].any()


def test_converted_keypoints_are_a_copy():
    points = np.ones((16, 3), np.float32)
    convert_keypoints(points, LIP, LIP)[:] = 7
    assert (points == 1).all()


def test_keypoints_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"keypoints: shape \(16, 3\), expected \(..., 17, 3\) for 'coco17'"):
        convert_keypoints(np.zeros((16, 3)), COCO, LIP)


def test_unknown_sets_are_told_with_the_known_ones():
    with pytest.raises(ValueError, match="label set 'LIP' is unknown; known are lip, cihp"):
        label_set("LIP")
    with pytest.raises(ValueError, match="keypoint set 'coco' is unknown; known are lip16, coco17, pascal14"):
        keypoint_set("coco")
    assert label_set("atr") is LABEL_SETS["atr"] and keypoint_set("lip16") is LIP
