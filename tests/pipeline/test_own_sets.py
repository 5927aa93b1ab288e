import numpy as np
import pytest

from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import ParamsError
from pipeline.params import Dataset, Train
from pipeline.steps.ingest import check_keypoint_set, ingest_step
from pipeline.taxonomy import keypoint_set, label_set
from tests import builders

SHOP = """
names: [background, top, left-sleeve, right-sleeve]
palette: [[0, 0, 0], "#ff0a00", [10, 250, 10], [10, 10, 250]]
"""


def written(folder, text, name="shop.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_label_set_of_ones_own_comes_from_a_file(tmp_path):
    shop = label_set(written(tmp_path, SHOP))
    assert shop.name == "shop" and shop.part_names == ("background", "top", "left-sleeve", "right-sleeve")
    assert shop.palette[:4].tolist() == [[0, 0, 0], [255, 10, 0], [10, 250, 10], [10, 10, 250]]
    assert shop.hflip_lut[:5].tolist() == [0, 1, 3, 2, 4]
    plain = label_set(written(tmp_path, "names: [background, Kopf, 手]", "plain.yml"))
    assert plain.part_names == ("background", "Kopf", "手") and plain.palette[1].tolist() == [128, 0, 0]


def test_a_keypoint_set_of_ones_own_comes_from_a_file(tmp_path):
    joints = keypoint_set(
        written(tmp_path, "names: [left-toe, right-toe, tail]\nlimbs: [[left-toe, tail]]", "cat.yaml")
    )
    assert (joints.name, len(joints), joints.limb_indices) == ("cat", 3, ((0, 2),))
    assert joints.hflip_index.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "text, message",
    [
        ("names: [background", "not readable as YAML"),
        ("[background, top]", "has no `names:`"),
        ("names: background", "names holds 'background', expected a list"),
        ("names: [background, on]", "name 1 is True, expected text. Put it in quotes"),
        ("names: [top, background]", "the first name is 'top', expected background"),
        ("names: [background, top, top]", "'top' stands there twice"),
        ("names: [background]", "1 classes, expected 2 to 255"),
        ("names: [background, left-arm]", "'left-arm' has no counterpart 'right-arm'"),
        ("names: [background, a]\ncolors: []", "colors is not a known key; known are names, palette"),
        ("names: [background, a]\npalette: [[0, 0, 0]]", "palette holds 1 entries, expected one colour for each of 2"),
        ("names: [background, a]\npalette: [[0, 0, 0], [0, 0, 256]]", r"the colour of 'a' is \[0, 0, 256\]"),
        ("names: [background, a]\npalette: [[0, 0, 0], [0, 0, 0]]", "1 different colours for 2 classes"),
        ("names: [background, a]\npalette: [[0, 0, 0], red]", "the colour of 'a' is 'red'"),
    ],
)
def test_a_file_that_is_no_label_set_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"shop\.yaml: .*{message}"):
        label_set(written(tmp_path, text))


def test_a_file_that_is_missing_or_takes_a_built_in_name_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.yaml: cannot be read \(No such file"):
        label_set(str(tmp_path / "nowhere.yaml"))
    with pytest.raises(ValueError, match=r"'lip' is the name of a built-in set. Rename the file"):
        label_set(written(tmp_path, SHOP, "lip.yaml"))
    with pytest.raises(ValueError, match=r"limb .* is no pair of its names"):
        keypoint_set(written(tmp_path, "names: [a, b]\nlimbs: [[a, c]]", "cat.yaml"))


def test_params_take_the_path_of_a_set_and_check_it(tmp_path):
    path = written(tmp_path, SHOP)
    section = Dataset(source="/photos", layout="folder", label_set=path)
    assert section.label_set == path and section.parts.name == "shop" and section.keypoints is None
    with pytest.raises(ValueError, match=r"label set 'shop' is unknown; known are lip, .* or give a .yaml file"):
        Dataset(source="/photos", layout="folder", label_set="shop")


def test_a_changed_set_makes_other_shards(tmp_path):
    first = label_set(written(tmp_path, SHOP))
    second = label_set(written(tmp_path, SHOP.replace("top", "shirt")))
    parameters = [ingest_step(tmp_path, "mine", one, 2, "folder").parameters for one in (first, second)]
    assert parameters[0] != parameters[1] and parameters[0]["part_names"][1] == "top"


def test_a_manifest_needs_no_file_of_its_set(tmp_path):
    shop = label_set(written(tmp_path, SHOP))
    manifest = builders.manifest(
        label_set="shop", part_names=shop.part_names, colours=shop.colours, keypoint_set="cat",
        keypoint_names=("left-toe", "right-toe"), limbs=(("left-toe", "right-toe"),),
    )  # fmt: skip
    (tmp_path / "shop.yaml").unlink()
    manifest.write(tmp_path)
    read = type(manifest).read(tmp_path)
    assert read == manifest and read.parts == shop and np.array_equal(read.parts.palette, shop.palette)
    assert read.keypoints.limb_indices == ((0, 1),)
    plain = builders.manifest()
    assert plain.parts is label_set("lip") and plain.keypoints is None


def test_a_map_of_ones_own_stands_in_params_or_in_a_file(tmp_path):
    path = written(tmp_path, "top: upper-clothes\nbelt: ignore  # LIP has none\n'on': hat\n", "shop-to-lip.yaml")
    told = {
        "datasets": ["shop"],
        "label_set": "lip",
        "keypoint_set": "lip16",
        "backbone": "resnet18",
        "input_size": [8, 8],
    }
    told |= {"epochs": 1, "batch_size": 2, "lr": 0.1}
    train = Train(**told, label_maps={"shop": path, "cihp": {"torso-skin": "upper-clothes"}})
    assert train.label_maps == {
        "shop": {"top": "upper-clothes", "belt": "ignore", "on": "hat"}, "cihp": {"torso-skin": "upper-clothes"},
    }  # fmt: skip
    for text, message in (
        ("on: hat", r"`True: hat`, expected the names of two classes"),
        ("[top]", "holds 1 entries, expected lines"),
        ("", "holds None, expected lines"),
        ("top: [", "not readable as YAML"),
    ):
        with pytest.raises(ValueError, match=rf"shop-to-lip\.yaml: {message}"):
            Train(**told, label_maps={"shop": written(tmp_path, text, "shop-to-lip.yaml")})
    with pytest.raises(ValueError, match=r"nowhere\.yaml: cannot be read"):
        Train(**told, label_maps={"shop": str(tmp_path / "nowhere.yaml")})


def sections():
    return {"source": "/data", "layout": "coco_json", "label_set": "person", "splits": ("train", "val")}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({}, "annotations: has no train; layout 'coco_json' needs"),
        ({"layout": "folder", "annotations": {"train": "a.json"}}, "annotations: layout 'folder' takes none"),
        ({"layout": "mhp", "source": "sample"}, "'sample' draws lip, cihp, atr, pascal, coco; layout 'mhp' needs the folder"),
    ],
)  # fmt: skip
def test_sections_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Dataset(**{**sections(), **changes})


def test_joints_that_a_layout_cannot_have_are_refused():
    for name, joints in (("lip", "lip16"), ("pascal", "pascal14"), ("coco_json", "lip16")):
        check_keypoint_set(LAYOUTS[name], keypoint_set(joints))
    check_keypoint_set(LAYOUTS["atr"], None)
    with pytest.raises(ParamsError, match=r"keypoint_set: 'lip16', but layout 'pascal' has pascal14. Set it to null"):
        check_keypoint_set(LAYOUTS["pascal"], keypoint_set("lip16"))
    with pytest.raises(ParamsError, match="layout 'atr' has no joints"):
        check_keypoint_set(LAYOUTS["atr"], keypoint_set("lip16"))
