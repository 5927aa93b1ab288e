import hashlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import stages.download
from pipeline.sources.archives import Archives
from stages.cli import main
from tests.builders import jpeg, png, tar_bytes, write_cihp, write_lip, zip_bytes
from tests.file_server import cut, page

ROOT = Path(__file__).resolve().parents[2]
ZIP = zip_bytes([("images/1.jpg", b"content" * 90000)])
OTHER = zip_bytes([("images/2.jpg", b"content" * 90000)])


class Project:
    """A folder with a params.yaml whose data set lip can be given any source."""

    def __init__(self, root):
        self.root, self.params = root, yaml.safe_load((ROOT / "params.yaml").read_text())
        self.params["download"] = {"retries": 0, "allow_http": True, "timeout_s": 5.0}

    def hpp(self, *command, **dataset):
        """Exit code, output and the lines on stderr of a command, with these keys of data set lip."""
        self.params["datasets"]["lip"].update(dataset)
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.params))
        arguments = ["--params", str(self.root / "params.yaml"), "--root", str(self.root), *command]
        result = CliRunner().invoke(main, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr.splitlines()

    def files(self, folder):
        place = self.root / "data" / folder
        return sorted(str(path.relative_to(place)) for path in place.rglob("*")) if place.is_dir() else []

    @property
    def metrics(self):
        return json.loads((self.root / "metrics/download/lip.json").read_text())


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def published(folder, monkeypatch, *files):
    """A registry of these files in place of the real one."""
    path = folder / "registry.yaml"
    entry = {"title": "t", "page": "https://example.org/lip", "terms": "t", "access": "Sign up first.", "files": files}
    path.write_text(yaml.safe_dump({"lip": entry}))
    monkeypatch.setattr(stages.download, "SOURCES", path)


def test_published_files_come_are_locked_and_come_again_from_scratch(server, project, monkeypatch):
    url = server.add("a.zip", ZIP)
    published(project.root, monkeypatch, {"name": "a.zip", "holds": "x", "urls": ["http://127.0.0.1:9/x", url]})
    code, out, err = project.hpp("download", "lip", source="published")
    assert (
        code == 0 and "download lip: 1 archives" in out and any(f"{len(ZIP)}/{len(ZIP)} bytes" in line for line in err)
    )
    assert project.files("raw") == ["lip", "lip/a.zip"] and (project.root / "data/raw/lip/a.zip").read_bytes() == ZIP
    digest = hashlib.sha256(ZIP).hexdigest()
    locked = yaml.safe_load((project.root / "data/sources.lock.yaml").read_text())
    assert locked == {"lip": {"a.zip": {"bytes": len(ZIP), "sha256": digest}}}
    first = project.metrics
    assert first["archives"] == {"a.zip": {"bytes": len(ZIP), "sha256": digest, "checksum": "recorded"}}
    assert project.hpp("download", "lip")[0] == 0 and project.metrics == first
    assert len(server.requests) == 1


def test_a_file_behind_a_sign_in_is_asked_for_and_taken_from_where_it_is_placed(server, project, monkeypatch):
    url = server.add("a.zip", b"", *[page("<html><title>Log in</title></html>")] * 2)
    published(
        project.root, monkeypatch, {"name": "a.zip", "holds": "x", "urls": [url]}, {"name": "b.zip", "holds": "x"}
    )
    code, _, err = project.hpp("download", "lip", source="published")
    assert code == 2 and len(err) == 1
    manual = project.root / "data/manual/lip"
    for part in ("asks to sign in", "Sign up first. Page: https://example.org/lip", f"{manual}/a.zip, {manual}/b.zip"):
        assert part in err[0]
    assert project.files("raw") == []
    manual.mkdir(parents=True)
    for name in ("a.zip", "b.zip"):
        (manual / name).write_bytes(ZIP)
    assert project.hpp("download", "lip")[0] == 0
    assert project.files("raw/lip") == ["a.zip", "b.zip"] and (manual / "a.zip").read_bytes() == ZIP


def test_a_wrong_checksum_is_one_line_and_leaves_what_was_there(server, project):
    source = [{"name": "a.zip", "urls": [server.add("a.zip", ZIP)]}]
    assert project.hpp("download", "lip", source=source)[0] == 0
    digest = "0" * 64
    code, _, err = project.hpp("download", "lip", source=source, sha256={"a.zip": digest})
    told = [line for line in err if line.startswith("Error")]
    assert (
        code == 2 and len(told) == 1 and f"SHA-256 is {hashlib.sha256(ZIP).hexdigest()}, expected {digest}" in told[0]
    )
    assert project.files("raw") == ["lip", "lip/a.zip"] and (project.root / "data/raw/lip/a.zip").read_bytes() == ZIP


def test_a_broken_download_leaves_nothing_half_written_and_goes_on(server, project):
    source = [{"name": "a.zip", "urls": [server.add("a.zip", ZIP, cut(400_000))]}]
    assert project.hpp("download", "lip", source=source)[0] == 2
    assert project.files("raw") == [] and "download/lip/a.zip.part" in project.files("scratch")
    assert project.hpp("download", "lip")[0] == 0
    assert server.headers("Range") == [None, "bytes=400000-"]


def test_plain_http_is_refused_unless_allowed(server, project):
    project.params["download"]["allow_http"] = False
    code, _, err = project.hpp("download", "lip", source=server.add("a.zip", ZIP))
    assert code == 2 and len(err) == 1 and "set download.allow_http: true" in err[0] and server.requests == []


def test_a_source_that_cannot_be_understood_is_one_line(project):
    for source, told in (
        ("https://example.org/", "datasets.lip.source: https://example.org/ does not end in the name of an archive"),
        ("nosuch://x", "Protocol not known: nosuch"),
        ([{"name": "../a.zip", "urls": ["x"]}], "datasets.lip.source.0.name: expected a file name without folders"),
        ("/nowhere/LIP", "/nowhere/LIP: no such folder"),
    ):
        code, _, err = project.hpp("download", "lip", source=source)
        assert code == 2 and len(err) == 1 and told in err[0], err


def test_a_local_folder_is_not_locked_and_may_change(project):
    write_lip(project.root / "mine", {"a": jpeg()}, {"a": png([[0] * 8] * 12)})
    (project.root / "mine/more.tar.gz").write_bytes(tar_bytes([("x/1.txt", b"x")], "gz"))
    for _ in range(2):
        code, _, err = project.hpp("download", "lip", source=str(project.root / "mine"))
        assert code == 0, err
        (project.root / "mine/more.tar.gz").write_bytes(tar_bytes([("x/2.txt", b"x")], "gz"))
    assert "more.tar.gz" in project.files("raw/lip") and not (project.root / "data/sources.lock.yaml").exists()
    code, _, err = project.hpp("download", "lip", source=str(project.root / "mine/more.tar.gz"))
    assert code == 0 and project.files("raw/lip") == ["more.tar.gz"]
    (project.root / "mine/more.tar.gz").write_bytes(b"\x1f\x8b cut short")
    code, _, err = project.hpp("download", "lip", source=str(project.root / "mine/more.tar.gz"))
    assert code == 2 and any("more.tar.gz: not a whole tar archive" in line for line in err)


def test_cihp_as_tar_gz_gives_the_same_records_as_a_zip(project):
    mask = png([[0, 1, 5, 0, 0, 0, 0, 0]] * 12)
    folder = write_cihp(project.root / "zip", {"0000001": (jpeg(), mask, mask), "0000002": (jpeg(seed=2), mask, mask)})
    archives = Archives(folder)
    members = [(member.path, archives.read(member)) for member in archives.members]
    (project.root / "tar").mkdir()
    (project.root / "tar/instance-level_human_parsing.tar.gz").write_bytes(tar_bytes(members, "gz"))
    project.params["executor"]["workers"] = 1
    shards = {}
    for kind in ("zip", "tar"):
        project.params["datasets"]["cihp"].update(source=str(project.root / kind), splits=["train"])
        for stage in ("download", "ingest"):
            code, _, err = project.hpp(stage, "cihp")
            assert code == 0, err
        shards[kind] = (project.root / "metrics/ingest/cihp.json").read_bytes()
    assert shards["zip"] == shards["tar"] and json.loads(shards["tar"])["train"]["images"] == 2
    assert [name for name in project.files("scratch/archives") if name.endswith(".zip")]


def test_datasets_tells_where_the_published_files_are(project):
    code, out, _ = project.hpp("datasets", source="published")
    assert code == 0 and "lip: published; layout lip" in out
    for part in (
        "page: https://cocodataset.org/#download",
        "train2017.zip for train: images of train, 18 GB",
        "sha1 known",
    ):
        assert part in out
