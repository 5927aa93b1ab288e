"""Hugging Face data sets, hf://, from a server on this machine that answers as the Hub does."""

import json

import fsspec
import pytest

from pipeline.sources.bring import bring_remote
from pipeline.sources.fetch import Fetcher
from pipeline.sources.lock import SourceLock
from pipeline.sources.objects import download_object, list_objects
from pipeline.sources.part import Part
from pipeline.sources.plan import Remote, plan_source
from pipeline.sources.retry import MirrorError, Patience
from tests import builders
from tests.file_server import cut, status

hub = pytest.importorskip("huggingface_hub", reason="the driver of hf:// is not installed")
REPO, NAME = "hf://datasets/owner/name", "owner/name"
ARCHIVE = builders.zip_bytes([("images/a.jpg", builders.jpeg(60, 40))])
FILES = {"shop.zip": ARCHIVE, "masks/a 1.png": b"png", ".gitattributes": b"x"}


@pytest.fixture
def server(server, monkeypatch):
    """The server, as the Hub of one data set."""
    monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url})
    hub.HfFileSystem.clear_instance_cache()
    about = {
        "id": NAME,
        "_id": "1",
        "sha": "a" * 40,
        "private": False,
        "siblings": [],
        "tags": [],
        "downloads": 0,
        "likes": 0,
    }
    entries = [{"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in FILES.items()]
    folder = {"type": "directory", "path": "masks", "oid": "0" * 40}
    top = [entry for entry in entries if "/" not in entry["path"]]
    for path, answer in {
        f"api/datasets/{NAME}": about,
        f"api/datasets/{NAME}/revision/main": about,
        f"api/datasets/{NAME}/tree/main?recursive=true&expand=false": [*entries, folder],
        f"api/datasets/{NAME}/tree/main?recursive=false&expand=false": [*top, folder],
        f"api/datasets/{NAME}/tree/main/masks?recursive=false&expand=false": entries[1:2],
    }.items():
        server.add(path, json.dumps(answer).encode(), kind="application/json")
    for path, data in FILES.items():
        server.add(f"datasets/{NAME}/resolve/main/{path.replace(' ', '%20')}", data)
    yield server
    hub.HfFileSystem.clear_instance_cache()


def test_a_data_set_is_listed_without_hidden_files(server):
    assert list_objects(REPO) == [
        ("masks/a 1.png", f"{REPO}/masks/a 1.png", 3), ("shop.zip", f"{REPO}/shop.zip", len(ARCHIVE)),
    ]  # fmt: skip


def test_a_data_set_comes_as_its_archives_and_one_of_its_loose_files(server, tmp_path):
    plan = plan_source("datasets.shop.source", REPO, "folder", ("train",), {}, {})
    assert plan == Remote((), REPO, "Look at datasets.shop.source in params.yaml.")
    lock = SourceLock(tmp_path / "sources.lock.yaml", tmp_path / "lock")
    fetcher = Fetcher(dataset="shop", store=tmp_path / "store", manual=tmp_path / "manual", lock=lock)
    (tmp_path / "raw").mkdir()
    verified = bring_remote(plan, fetcher, tmp_path / "raw", {})
    assert [file.name for file in verified] == ["shop.zip", "unpacked.zip"]
    assert (tmp_path / "raw" / "shop.zip").read_bytes() == ARCHIVE
    assert lock.get("shop", "shop.zip").bytes == len(ARCHIVE)  # recorded, and enforced from now on


def test_a_broken_download_is_continued_in_the_middle(server, tmp_path):
    part = Part(tmp_path / "shop.zip.part")
    download_object(f"{REPO}/shop.zip", part, Patience())
    origin = part.origin(f"{REPO}/shop.zip")
    with part.begin(origin) as file:
        file.write(ARCHIVE[:100])
    server.requests.clear()
    download_object(f"{REPO}/shop.zip", part, Patience())
    assert part.path.read_bytes() == ARCHIVE
    assert [value for value in server.headers("range") if value] == [f"bytes=100-{len(ARCHIVE) - 1}"]


def test_a_connection_that_breaks_is_tried_again(server, tmp_path):
    server.files[f"datasets/{NAME}/resolve/main/shop.zip"].troubles.append(cut(50))
    pauses: list[float] = []
    part = Part(tmp_path / "shop.zip.part")
    download_object(f"{REPO}/shop.zip", part, Patience(sleep=pauses.append))
    assert part.path.read_bytes() == ARCHIVE


@pytest.mark.parametrize("code", [401, 403])
def test_a_data_set_behind_a_sign_in_is_told_at_once(server, tmp_path, code):
    server.files[f"datasets/{NAME}/resolve/main/shop.zip"].troubles += [status(code)] * 9
    pauses: list[float] = []
    with pytest.raises(MirrorError, match=r"shop\.zip: it refuses access; sign in .*hf auth login"):
        download_object(f"{REPO}/shop.zip", Part(tmp_path / "shop.zip.part"), Patience(sleep=pauses.append))
    assert pauses == []


def test_what_is_not_there_is_told(server, tmp_path):
    with pytest.raises(MirrorError, match="not found there"):
        download_object(f"{REPO}/other.zip", Part(tmp_path / "x.part"), Patience())
    with pytest.raises(MirrorError, match="hf://datasets/owner/other"):
        list_objects("hf://datasets/owner/other")
