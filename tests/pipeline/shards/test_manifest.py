import json

import pytest

from pipeline.errors import DataError
from pipeline.shards.manifest import Manifest, ShardEntry
from tests import builders


def test_a_manifest_comes_back(tmp_path):
    entries = (ShardEntry("part-00000.parquet", 3, 10, "ab"), ShardEntry("part-00001.parquet", 2, 9, "cd"))
    written = builders.manifest(entries, links={"heatmaps": {"path": "../x", "sha256": "ef"}}, keypoint_set="lip16")
    written.write(tmp_path)
    assert Manifest.read(tmp_path) == written and written.records == 5
    assert json.loads((tmp_path / "manifest.json").read_text())["records"] == 5


def test_equal_manifests_are_equal_bytes(tmp_path):
    for name, parameters in (("a", {"x": 1, "y": 2}), ("b", {"y": 2, "x": 1})):
        (tmp_path / name).mkdir()
        builders.manifest(parameters=parameters).write(tmp_path / name)
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_a_missing_manifest_names_the_file_and_the_way_out(tmp_path):
    with pytest.raises(DataError, match=r"nowhere/manifest\.json: not found\. Run the stage that makes"):
        Manifest.read(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.parquet/manifest\.json: not found"):
        Manifest.read(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "no readable JSON"),
        (b"\xff\xfe", "no readable JSON"),
        (b"[]", "schema version is not 1"),
        (b'{"schema_version": 99}', "schema version is not 1"),
        (b'{"schema_version": 1}', "fields are missing or unknown"),
        (b'{"schema_version": 1, "shards": [{"name": "x"}]}', "fields are missing or unknown"),
        (b'{"schema_version": 1, "shards": 5}', "fields are missing or unknown"),
        (b'{"schema_version": 1, "shards": [], "extra": 1}', "fields are missing or unknown"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, content, message):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"manifest\.json: {message}"):
        Manifest.read(tmp_path)
