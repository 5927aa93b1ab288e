import tarfile
import zipfile
import zlib

import pytest

from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from tests.builders import tar_bytes, write_zip, zip_bytes


def damaged(data: bytes, content: bytes) -> bytes:
    """The archive with one byte of a stored member changed."""
    place = data.index(content)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_files_are_found_by_the_tail_of_their_path(tmp_path):
    write_zip(tmp_path / "a.zip", [("Top/Top/train_images/1.jpg", b"one"), ("Top/train_id.txt", b"1\n")])
    write_zip(tmp_path / "b.zip", [("val_images/1.jpg", b"two")])
    archives = Archives(tmp_path)
    for tail in ("train_images/1.jpg", "Top/train_images/1.jpg", "Top/Top/train_images/1.jpg"):
        assert archives.read(archives.require(tail, "")) == b"one"
    assert archives.read(archives.require("train_id.txt", "")) == b"1\n"
    assert archives.find("n_images/1.jpg") is None and archives.find("Other/train_images/1.jpg") is None
    assert archives.find("1.png") is None


@pytest.mark.parametrize("outer_method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_nested_archives_are_read_two_levels_deep(tmp_path, outer_method):
    deepest = zip_bytes([("masks/1.png", b"deep" * 50), ("masks/2.png", b"er")], zipfile.ZIP_DEFLATED)
    middle = zip_bytes([("note.txt", b"x" * 300), ("inner.zip", deepest), ("masks/3.png", b"mid")], outer_method)
    write_zip(tmp_path / "outer.zip", [("read.me", b"y" * 77), ("folder/middle.ZIP", middle)])
    archives = Archives(tmp_path)
    member = archives.require("masks/1.png", "")
    assert archives.read(member) == b"deep" * 50
    assert member.name == "outer.zip!/folder/middle.ZIP!/inner.zip!/masks/1.png"
    # In turns: each level has a place of its own in the file.
    files = archives.folder_files("masks")
    assert [archives.read(files[stem]) for stem in ("3", "2", "1", "3")] == [b"mid", b"er", b"deep" * 50, b"mid"]
    assert (member.size, member.crc) == (200, zlib.crc32(b"deep" * 50))


def test_members_stand_in_the_order_of_archives_and_then_as_packed(tmp_path):
    write_zip(tmp_path / "b.zip", [("x/9.jpg", b""), ("x/1.jpg", b"")])
    write_zip(tmp_path / "a.ZIP", [("x/5.jpg", b"")])
    (tmp_path / "notes.txt").write_text("no archive")
    assert [member.path for member in Archives(tmp_path).members] == ["x/5.jpg", "x/9.jpg", "x/1.jpg"]


def test_stems_may_hold_dots_spaces_and_other_scripts(tmp_path):
    names = ["a.b.c", "with space", "写真_01", "Ünïcode"]
    write_zip(tmp_path / "a.zip", [(f"images/{name}.jpg", name.encode()) for name in names])
    archives = Archives(tmp_path)
    files = archives.folder_files("images")
    assert list(files) == names
    assert [archives.read(member).decode() for member in files.values()] == names


def test_folder_files_takes_only_files_right_in_the_folder(tmp_path):
    write_zip(
        tmp_path / "a.zip",
        [("T/Images/1.jpg", b""), ("V/Images/2.jpg", b""), ("T/Images/sub/3.jpg", b""), ("T/Images/", b"")],
    )
    archives = Archives(tmp_path)
    assert list(archives.folder_files("T/Images")) == ["1"] and list(archives.folder_files("Images")) == ["1", "2"]
    assert archives.folder_files("nothing") == {}


def test_shadows_that_macos_adds_are_no_files(tmp_path):
    write_zip(
        tmp_path / "a.zip",
        [("x/1.jpg", b"one"), ("__MACOSX/x/._1.jpg", b"s"), ("x/._1.jpg", b"s"), ("__MACOSX/x/1.jpg", b"s")],
    )
    archives = Archives(tmp_path)
    assert [member.path for member in archives.members] == ["x/1.jpg"]
    assert archives.read(archives.require("x/1.jpg", "")) == b"one"


def test_a_tail_that_fits_two_files_is_an_error(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, [("T/train_id.txt", b""), ("T/Images/1.jpg", b"")])
    archives = Archives(tmp_path)
    with pytest.raises(DataError, match=r"T/train_id\.txt: found twice, as a\.zip!/T/train_id\.txt and b\.zip!/T"):
        archives.find("T/train_id.txt")
    with pytest.raises(DataError, match=r"b\.zip!/T/Images/1\.jpg: the name '1' stands twice in T/Images"):
        archives.folder_files("T/Images")


def test_a_missing_file_is_told_with_the_hint(tmp_path):
    write_zip(tmp_path / "a.zip", [("x.txt", b"")])
    with pytest.raises(DataError, match=r"no archive there holds T/train_id\.txt\. Place LIP there"):
        Archives(tmp_path).require("T/train_id.txt", "Place LIP there")


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder\. Run `hpp download` first"):
        Archives(tmp_path / "nowhere")


@pytest.mark.parametrize("size", [0, 10, -30])
def test_a_truncated_archive_is_named(tmp_path, size):
    data = zip_bytes([("x/1.jpg", b"content" * 20)])
    (tmp_path / "a.zip").write_bytes(data[:size])
    with pytest.raises(DataError, match=r"a\.zip: not a whole zip archive .*Get it again"):
        _ = Archives(tmp_path).members


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_truncated_inner_archive_is_named(tmp_path, method):
    inner = zip_bytes([("x/1.jpg", b"content" * 20)])
    (tmp_path / "a.zip").write_bytes(zip_bytes([("inner.zip", inner[:-30])], method))
    with pytest.raises(DataError, match=r"a\.zip!/inner\.zip: not a whole zip archive"):
        _ = Archives(tmp_path).members


def test_damage_inside_a_file_is_named_and_the_others_are_read(tmp_path):
    data = zip_bytes([("x/1.jpg", b"first file"), ("x/2.jpg", b"second file")])
    (tmp_path / "a.zip").write_bytes(damaged(data, b"second file"))
    archives = Archives(tmp_path)
    assert archives.read(archives.require("x/1.jpg", "")) == b"first file"
    with pytest.raises(DataError, match=r"a\.zip!/x/2\.jpg: cannot be read \(Bad CRC-32.*Get the archive again"):
        archives.read(archives.require("x/2.jpg", ""))


def test_damage_of_a_deflated_file_and_of_its_header_is_named(tmp_path):
    data = bytearray(zip_bytes([("x/1.jpg", bytes(range(256)) * 40)], zipfile.ZIP_DEFLATED))
    for name, place in (("deflated", 60), ("header", 0)):
        broken = bytes(data[:place]) + b"\xff" * 30 + bytes(data[place + 30 :])
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.zip").write_bytes(broken)
        archives = Archives(tmp_path / name)
        with pytest.raises(DataError, match=r"a\.zip!/x/1\.jpg: cannot be read"):
            archives.read(archives.require("x/1.jpg", ""))


FILES = [
    ("Top/Images/1.jpg", b"one"),
    ("Top/Images/2.jpg", b"t" * 1024),
    ("Top/train_id.txt", b""),
    ("Top/写 1.png", b"x" * 5000),
]


def listed(archives):
    return [(member.path, member.size, member.crc, archives.read(member)) for member in archives.members]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "TAR.GZ"])
@pytest.mark.parametrize("scratch", [True, False])
def test_a_tar_reads_as_the_zip_of_the_same_files(tmp_path, ending, scratch):
    write_zip(tmp_path / "zip/a.zip", FILES)
    compression = {"tar": "", "tar.gz": "gz", "tgz": "gz", "tar.bz2": "bz2", "tar.xz": "xz"}[ending.lower()]
    data = tar_bytes([(f"./{name}", content) for name, content in FILES], compression)
    (tmp_path / "tar").mkdir()
    (tmp_path / f"tar/a.{ending}").write_bytes(data)
    place = tmp_path / "scratch" if scratch else None
    archives = Archives(tmp_path / "tar", place)
    assert listed(archives) == listed(Archives(tmp_path / "zip"))
    assert archives.require("Images/1.jpg", "").name == f"a.{ending}!/Top/Images/1.jpg"
    # In another process, without the listing; and from the same scratch files.
    again = Archives(tmp_path / "tar", place)
    assert [again.read(member) for member in archives.members[::-1]] == [content for _, content in FILES[::-1]]
    if scratch:
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch/archives").iterdir()}
        assert listed(Archives(tmp_path / "tar", place)) == listed(archives)
        assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch/archives").iterdir()}
        assert {path.suffix for path in before} in (
            {".zip", ".sha256", ".lock", ".places"},
            {".json", ".sha256", ".lock", ".places"},
        ) and len(before) == 4


def test_the_same_archive_anywhere_has_one_scratch_file(tmp_path):
    data = tar_bytes(FILES[:2], "gz")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tar.gz").write_bytes(data)
        assert len(Archives(tmp_path / name, tmp_path / "scratch").members) == 2
    assert len(list((tmp_path / "scratch/archives").glob("*.zip"))) == 1
    (tmp_path / "two/a.tar.gz").write_bytes(tar_bytes(FILES, "gz"))
    assert len(Archives(tmp_path / "two", tmp_path / "scratch").members) == 4


def test_a_zip_inside_a_tar_and_a_deflated_zip_inside_a_zip_are_read(tmp_path):
    inner = zip_bytes([("masks/1.png", b"deep" * 50)], zipfile.ZIP_DEFLATED)
    outer = zip_bytes([("inner.zip", inner)], zipfile.ZIP_DEFLATED)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.tar").write_bytes(tar_bytes([("x/outer.zip", outer)]))
    for place in (None, tmp_path / "scratch"):
        archives = Archives(tmp_path / "raw", place)
        member = archives.require("masks/1.png", "")
        assert archives.read(member) == b"deep" * 50
        assert member.name == "a.tar!/x/outer.zip!/inner.zip!/masks/1.png"


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, 0.9])
def test_a_tar_cut_short_is_named_and_leaves_nothing(tmp_path, ending, keep):
    data = tar_bytes(FILES, "gz" if ending == "tar.gz" else "")
    data = data[: int(len(data.rstrip(b"\0")) * keep)]
    (tmp_path / "raw").mkdir()
    (tmp_path / f"raw/a.{ending}").write_bytes(data)
    with pytest.raises(DataError, match=r"(?s)a\.tar(\.gz)?: not a whole tar archive .*Get it again"):
        _ = Archives(tmp_path / "raw", tmp_path / "scratch").members
    assert not [path for path in (tmp_path / "scratch/archives").iterdir() if path.suffix not in (".sha256", ".lock")]


def test_a_tar_that_ends_between_two_files_or_has_a_damaged_header_is_named(tmp_path):
    whole = tar_bytes([("1.jpg", b"a" * 512), ("2.jpg", b"b" * 512)])
    for number, data in enumerate((whole[:1024], whole[:1024] + b"\x01" * 512 + whole[1536:])):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.tar").write_bytes(data)
        with pytest.raises(DataError, match=r"a\.tar: not a whole tar archive \(it ends before its end mark\)"):
            _ = Archives(tmp_path / str(number)).members


def test_damage_inside_a_file_of_a_tar_is_named(tmp_path):
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_bytes(FILES))
    archives = Archives(tmp_path)
    member = archives.require("Images/1.jpg", "")
    archive.write_bytes(damaged(archive.read_bytes(), b"one"))
    with pytest.raises(DataError, match=r"a\.tar!/Top/Images/1\.jpg: cannot be read \(Bad CRC-32"):
        archives.read(member)


def test_a_link_in_a_tar_is_named(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("Images/1.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "2.jpg"
        archive.addfile(link)
    with pytest.raises(
        DataError, match=r"a\.tar: Images/1\.jpg: a link, a device or a sparse file\. Pack the tar again"
    ):
        _ = Archives(tmp_path).members


def test_a_file_beside_the_archives_is_found_by_its_bare_name(tmp_path):
    write_zip(tmp_path / "a.zip", [("lists/val_id.txt", b"inside")])
    for name in ("train_id.txt", "val_id.txt"):
        (tmp_path / name).write_bytes(b"beside")
    archives = Archives(tmp_path)
    member = archives.require("train_id.txt", "")
    assert (member.name, member.size, member.crc) == ("train_id.txt", 6, zlib.crc32(b"beside"))
    assert archives.read(member) == b"beside"
    with pytest.raises(DataError, match=r"val_id\.txt: found twice, as a\.zip!/lists/val_id\.txt and val_id\.txt"):
        archives.find("val_id.txt")


def test_the_icon_of_a_folder_of_macos_is_no_file(tmp_path):
    write_zip(tmp_path / "a.zip", [("Photos/Icon\r", b""), ("Photos/1.jpg", b"one")])
    assert [member.path for member in Archives(tmp_path).members] == ["Photos/1.jpg"]
