from pathlib import Path

import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.params import SourceFile
from pipeline.sources.drive import DriveLink, parse_link
from pipeline.sources.files import RemoteFile
from pipeline.sources.plan import plan_source
from pipeline.sources.registry import load_registry

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = load_registry(ROOT / "data" / "sources.yaml")
HEX = "ab" * 32


def plan(source, layout="lip", splits=("train", "val"), sha256=None):
    return plan_source("datasets.lip.source", source, layout, splits, sha256 or {}, REGISTRY)


def test_the_registry_holds_every_built_in_set():
    assert sorted(REGISTRY) == ["atr", "cihp", "coco", "lip", "mhp", "pascal"]
    for name, published in REGISTRY.items():
        files = [file.name for file in published.files]
        assert len(set(files)) == len(files) > 0, name
        for url in (url for file in published.files for url in file.urls):
            assert url.startswith(("https://", "http://")), url
            assert "drive.google" not in url or parse_link(url), url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lip: {title: x}", r"lip\.page: Field required"),
        ("lip: {title: x, page: y, terms: z, access: a, files: [{name: a/b, holds: c}]}", r"lip\.files\.0\.name: .*file name"),
        ("lip: {title: x, page: y, terms: z, access: a, files: [{name: a, holds: c, md5: 1f}]}", r"lip\.files\.0\.md5: .*found '1f'"),
        ("lip: [", "not readable as YAML"),
    ],
)  # fmt: skip
def test_a_broken_registry_is_told(tmp_path, text, told):
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"sources\.yaml: {told}"):
        load_registry(tmp_path / "sources.yaml")


def test_published_files_are_those_of_the_splits():
    train = plan("published", splits=("train",))
    assert [file.name for file in train.files] == [
        "TrainVal_images.zip", "TrainVal_parsing_annotations.zip", "TrainVal_pose_annotations.zip",
    ]  # fmt: skip
    assert [file.name for file in plan("published", splits=("test",)).files] == ["Testing_images.zip"]
    coco = plan("published", layout="coco", splits=("val",), sha256={"val2017.zip": HEX})
    assert [file.name for file in coco.files] == ["val2017.zip", "annotations_trainval2017.zip"]
    assert coco.files[0].checksums == {"sha1": "4950dc9d00dbe1c933ee0170f5797584351d2a41", "sha256": HEX}
    assert "https://cocodataset.org/#download" in coco.advice
    with pytest.raises(ParamsError, match=r"datasets\.lip\.source: no published files .*'folder', only for atr, cihp"):
        plan("published", layout="folder")


def test_places_of_this_machine_are_paths():
    assert plan("/data/LIP") == Path("/data/LIP")
    assert plan("~/lip.zip") == Path.home() / "lip.zip"


def test_an_address_of_an_archive_is_one_file():
    for url, name in (
        ("https://example.org/x/My%20set.zip?token=1", "My set.zip"),
        ("s3://bucket/a.tar.gz", "a.tar.gz"),
        ("hf://datasets/a/b/c.tar", "c.tar"),
    ):
        assert plan(url, sha256={name: HEX}).files == (RemoteFile(name, (url,), None, {"sha256": HEX}),)


def test_other_addresses_are_folders_or_need_a_name():
    for url in (
        "s3://bucket/lip/",
        "hf://datasets/a/b",
        "https://drive.google.com/drive/folders/x",
        "gdrive://folders/x",
    ):
        assert plan(url).folder == url
    for url in ("https://example.org/get?id=3", "https://drive.google.com/uc?id=x", "gdrive://x"):
        with pytest.raises(ParamsError, match=r"datasets\.lip\.source: .*write \[\{name: X\.zip, urls: "):
            plan(url)


def test_listed_files_keep_their_order_and_checksums():
    one, two = SourceFile(name="a.zip", urls=("u", "v"), sha256=HEX), SourceFile(name="b.zip", urls=("w",))
    assert plan((one, two)).files == (
        RemoteFile("a.zip", ("u", "v"), None, {"sha256": HEX}),
        RemoteFile("b.zip", ("w",)),
    )


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://drive.google.com/file/d/A-1_b/view?usp=sharing", DriveLink("A-1_b")),
        ("https://drive.google.com/file/u/0/d/A/view?resourcekey=0-k", DriveLink("A", False, "0-k")),
        ("https://drive.google.com/open?id=A", DriveLink("A")),
        ("https://docs.google.com/uc?export=download&id=A", DriveLink("A")),
        ("https://drive.google.com/drive/u/1/folders/A?resourcekey=k", DriveLink("A", True, "k")),
        ("gdrive://A", DriveLink("A")),
        ("gdrive://folders/A", DriveLink("A", True)),
        ("https://drive.google.com/drive/my-drive", None),
        ("https://example.org/file/d/A/view", None),
        ("s3://drive/file/d/A", None),
    ],
)
def test_links_of_drive_are_understood(url, link):
    assert parse_link(url) == link
