import hashlib

import pytest
import yaml

from pipeline.errors import DataError
from pipeline.sources.drive import Drive
from pipeline.sources.fetch import Fetcher
from pipeline.sources.files import RemoteFile
from pipeline.sources.lock import Locked, SourceLock
from pipeline.sources.retry import Patience
from tests.builders import tar_bytes, zip_bytes
from tests.file_server import cut, page, status

ZIP = zip_bytes([("images/1.jpg", b"content" * 9000)])
OTHER = zip_bytes([("images/2.jpg", b"content" * 9000)])


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def project(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "manual").mkdir()
    return tmp_path


def fetcher(project, server=None, **fields):
    here = server.url if server else ""
    return Fetcher(
        dataset="lip",
        store=project / "store",
        manual=project / "manual",
        lock=SourceLock(project / "sources.lock.yaml", project / "guard"),
        advice="Get them from the page.",
        patience=Patience(1, 5.0, True, sleep=lambda seconds: None),
        drive=Drive(here, here),
        **fields,
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_first_download_is_recorded_and_enforced_from_then_on(server, project):
    file = RemoteFile("a.zip", (server.add("a.zip", ZIP),))
    (verified,) = fetcher(project).bring([file], project / "raw")
    assert (project / "raw/a.zip").read_bytes() == ZIP
    assert (verified.sha256, verified.bytes, verified.checksum) == (sha256(ZIP), len(ZIP), "recorded")
    lock = project / "sources.lock.yaml"
    assert yaml.safe_load(lock.read_text()) == {"lip": {"a.zip": {"bytes": len(ZIP), "sha256": sha256(ZIP)}}}
    before = lock.read_bytes()
    (project / "raw/a.zip").unlink()
    (project / "store/a.zip").unlink()
    server.add("a.zip", OTHER)
    with pytest.raises(DataError, match=f"SHA-256 is {sha256(OTHER)}, expected {sha256(ZIP)} as it first came.*delete"):
        fetcher(project).bring([file], project / "raw")
    assert names(project / "raw") == [] and names(project / "store") == [] and lock.read_bytes() == before


def test_a_second_call_downloads_nothing_and_says_the_same(server, project):
    file = RemoteFile("a.zip", (server.add("a.zip", ZIP),))
    first = fetcher(project).bring([file], project / "raw")
    (project / "raw/a.zip").unlink()
    assert fetcher(project).bring([file], project / "raw") == first
    assert len(server.requests) == 1 and (project / "raw/a.zip").read_bytes() == ZIP


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_a_published_checksum_is_enforced(server, project, algorithm):
    known = {algorithm: hashlib.new(algorithm, ZIP).hexdigest().upper()}
    (verified,) = fetcher(project).bring(
        [RemoteFile("a.zip", (server.add("a.zip", ZIP),), None, known)], project / "raw"
    )
    assert verified.checksum == "verified"
    file = RemoteFile("b.zip", (server.add("b.zip", OTHER),), None, known)
    with pytest.raises(DataError, match=rf"b\.zip: 127\.0\.0\.1: \S+ is \w+, expected {known[algorithm].lower()}"):
        fetcher(project).bring([file], project / "raw")
    assert names(project / "raw") == ["a.zip"] and names(project / "store") == ["a.zip"]


def test_the_next_address_is_asked_when_one_is_dead_or_wrong(server, project):
    urls = (
        "http://127.0.0.1:9/a.zip",
        f"{server.url}/missing.zip",
        server.add("page.zip", b"", page("<html><title>Sign in</title></html>")),
        server.add("wrong.zip", OTHER),
        "nosuchprotocol://x/a.zip",
        server.add("right.zip", ZIP),
    )
    fetcher(project).bring([RemoteFile("a.zip", urls, None, {"sha256": sha256(ZIP)})], project / "raw")
    assert (project / "raw/a.zip").read_bytes() == ZIP and names(project / "store") == ["a.zip"]


def test_all_missing_files_are_told_together_and_the_others_are_kept(server, project):
    files = [
        RemoteFile("a.zip", (f"{server.url}/gone.zip",)),
        RemoteFile("b.zip", (server.add("b.zip", ZIP),)),
        RemoteFile("c.zip"),
    ]
    with pytest.raises(DataError) as told:
        fetcher(project).bring(files, project / "raw")
    text = str(told.value)
    assert text.startswith("lip: 2 of 3 files could not be had (a.zip: 127.0.0.1: the server answers 404")
    assert "c.zip: it has no address" in text and "Get them from the page." in text
    assert f"Place by hand: {project}/manual/a.zip, {project}/manual/c.zip; then run `hpp download lip` again" in text
    assert names(project / "store") == ["b.zip"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_file_cut_short_at_its_origin_never_gets_its_name(server, project, name):
    whole = ZIP if name == "a.zip" else tar_bytes([("1.jpg", b"x" * 5000)], "gz" if name.endswith("gz") else "")
    file = RemoteFile(name, (server.add(name, whole[: len(whole) // 2]),))
    with pytest.raises(DataError, match=r"not a whole (zip|tar) archive"):
        fetcher(project).bring([file], project / "raw")
    assert names(project / "raw") == [] and names(project / "store") == []
    assert not (project / "sources.lock.yaml").exists()


def test_a_broken_download_is_continued_by_the_next_call(server, project):
    data = zip_bytes([("images/1.jpg", bytes(range(256)) * 3000)])
    file = RemoteFile("a.zip", (server.add("a.zip", data, cut(400_000), cut(400_000)),))
    with pytest.raises(DataError, match=r"a\.zip: 127\.0\.0\.1"):
        fetcher(project).bring([file], project / "raw")
    assert names(project / "store") == ["a.zip.part", "a.zip.part.json"] and names(project / "raw") == []
    fetcher(project).bring([file], project / "raw")
    assert (project / "raw/a.zip").read_bytes() == data and names(project / "store") == ["a.zip"]
    assert server.headers("Range")[-1] == "bytes=400000-"


def test_two_downloads_of_one_set_at_once_are_refused(project):
    with fetcher(project).alone(), pytest.raises(DataError, match="another download of it is running"):
        fetcher(project).bring([RemoteFile("a.zip")], project / "raw")


def test_a_file_placed_by_hand_is_accepted_by_its_hash(project):
    (project / "manual/a.zip").write_bytes(ZIP)
    file = RemoteFile("a.zip", (), None, {"sha256": sha256(ZIP)})
    (verified,) = fetcher(project).bring([file], project / "raw")
    assert verified.checksum == "verified" and (project / "raw/a.zip").read_bytes() == ZIP


def test_a_file_placed_by_hand_is_recorded_where_no_hash_is_known(project):
    (project / "manual/a.zip").write_bytes(ZIP)
    assert fetcher(project).bring([RemoteFile("a.zip")], project / "raw")[0].checksum == "recorded"
    (project / "manual/a.zip").write_bytes(OTHER)
    (project / "raw/a.zip").unlink()
    with pytest.raises(DataError, match=rf"manual/a\.zip: SHA-256 is {sha256(OTHER)}, expected {sha256(ZIP)}"):
        fetcher(project).bring([RemoteFile("a.zip")], project / "raw")
    assert names(project / "raw") == []


@pytest.mark.parametrize(
    ("data", "told"),
    [(OTHER, "SHA-256 is"), (b"<html>Sign in</html>", "SHA-256 is"), (ZIP[:-30], "SHA-256 is")],
)
def test_a_wrong_file_placed_by_hand_is_refused_and_left_alone(project, data, told):
    (project / "manual/a.zip").write_bytes(data)
    with pytest.raises(DataError, match=rf"manual/a\.zip: {told}.*Place the right file there, or remove it"):
        fetcher(project).bring([RemoteFile("a.zip", (), None, {"sha256": sha256(ZIP)})], project / "raw")
    assert (project / "manual/a.zip").read_bytes() == data


@pytest.mark.parametrize(("data", "told"), [(b"<html>Sign in</html>", "a web page"), (ZIP[:-30], "not a whole zip")])
def test_a_damaged_file_placed_by_hand_is_not_recorded(project, data, told):
    (project / "manual/a.zip").write_bytes(data)
    with pytest.raises(DataError, match=told):
        fetcher(project).bring([RemoteFile("a.zip")], project / "raw")
    assert not (project / "sources.lock.yaml").exists()


def test_a_file_on_drive_comes_by_its_shared_link(server, project):
    server.add("download?id=abc-1&export=download&confirm=t&resourcekey=0-k", ZIP)
    url = "https://drive.google.com/file/d/abc-1/view?usp=sharing&resourcekey=0-k"
    fetcher(project, server).bring([RemoteFile("a.zip", (url,))], project / "raw")
    assert (project / "raw/a.zip").read_bytes() == ZIP


def entry(name, url):
    return (
        f'<div class="flip-entry" id="entry-x"><div><a href="{url}" target="_blank"><div class="flip-entry-info">'
        f'<div class="flip-entry-title">{name}</div></div></a></div></div>'
    )


def test_a_file_is_found_by_name_in_a_drive_folder(server, project):
    inner = "https://drive.google.com/drive/folders/inner"
    server.add("embeddedfolderview?id=top&resourcekey=0-k", b"", page(f"<html>{entry('LIP &amp; more', inner)}</html>"))
    listing = entry("b.zip", "https://drive.google.com/file/d/B/view") + entry("a.zip", "https://drive.google.com/file/d/A/view?resourcekey=r")  # fmt: skip
    server.add("embeddedfolderview?id=inner", b"", status(503), page(f"<html>{listing}</html>"))
    server.add("download?id=A&export=download&confirm=t&resourcekey=r", ZIP)
    url = "https://drive.google.com/drive/folders/top?resourcekey=0-k"
    fetcher(project, server).bring([RemoteFile("a.zip", (url,))], project / "raw")
    assert (project / "raw/a.zip").read_bytes() == ZIP


def test_a_drive_folder_without_the_file_or_behind_a_sign_in_is_told(server, project):
    url = "https://drive.google.com/drive/folders/top"
    sign_in = page("<html><title>Sign in</title></html>")
    listing = page(f"<html>{entry('b.zip', 'https://drive.google.com/file/d/B/view')}</html>")
    server.add("embeddedfolderview?id=top", b"", sign_in, listing)
    for told in ("shows no files", r"that folder holds no a\.zip"):
        with pytest.raises(DataError, match=told):
            fetcher(project, server).bring([RemoteFile("a.zip", (url,))], project / "raw")


def test_the_lock_keeps_what_it_has_and_is_told_when_damaged(tmp_path):
    lock = SourceLock(tmp_path / "lock.yaml", tmp_path / "scratch" / "guard")
    assert lock.get("lip", "a.zip") is None
    for name, size in (("a.zip", 1), ("b c.zip", 2), ("a.zip", 3)):
        lock.record("lip", name, Locked(size, "0" * 64))
    lock.record("cihp", "a.zip", Locked(4, "1" * 64))
    assert [lock.get(*key).bytes for key in (("lip", "a.zip"), ("lip", "b c.zip"), ("cihp", "a.zip"))] == [1, 2, 4]
    for text in ("lip: [", "lip: 3", "lip: {a.zip: {bytes: x, sha256: y}}", "- a"):
        lock.path.write_text(text)
        with pytest.raises(DataError, match=r"lock\.yaml: not readable as a lock of sources"):
            lock.get("lip", "a.zip")
