from typing import get_args

import pytest

from pipeline.datasets.lists import read_ids
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError
from pipeline.params import Dataset
from pipeline.sources.archives import Archives
from tests.builders import write_zip


def ids(folder, data: bytes) -> list[str]:
    write_zip(folder / "a.zip", [("train_id.txt", data)])
    archives = Archives(folder)
    return read_ids(archives, archives.require("train_id.txt", ""))


@pytest.mark.parametrize(
    "data", [b"b_1\na.2\n", b"b_1\r\na.2", b"\xef\xbb\xbfb_1\n\n  a.2  \n"], ids=["unix", "windows", "byte order mark"]
)
def test_ids_come_one_per_line_in_order(tmp_path, data):
    assert ids(tmp_path, data) == ["b_1", "a.2"]


def test_ids_may_hold_spaces_and_other_scripts(tmp_path):
    assert ids(tmp_path, "写真 1\nä.b_c\n".encode()) == ["写真 1", "ä.b_c"]


def test_a_doubled_id_is_told(tmp_path):
    with pytest.raises(DataError, match=r"a\.zip!/train_id\.txt: 'x' stands there twice"):
        ids(tmp_path, b"x\ny\nx\n")


def test_a_list_that_is_no_text_is_told(tmp_path):
    with pytest.raises(DataError, match=r"a\.zip!/train_id\.txt: not a text file"):
        ids(tmp_path, b"\xff\xfe\x00")


def test_layouts_go_by_their_own_names():
    names = ("lip", "cihp", "atr", "pascal", "coco", "mhp", "folder", "coco_json", "labelme")
    assert {name: layout.name for name, layout in LAYOUTS.items()} == {name: name for name in names}
    assert get_args(Dataset.model_fields["layout"].annotation) == names
