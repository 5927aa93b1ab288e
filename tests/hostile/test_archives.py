"""Archives that mean harm: one line that names the archive and the reason, exit 2, nothing written outside, little memory."""

import tarfile

import pytest

from tests.hostile import archives as hostile
from tests.hostile.project import Project

DATA = b"anything"
ABOVE = "leads out of the archive"
CASES = {
    "zip, absolute path": ("a.zip", hostile.zipped(("/etc/cron.d/x", DATA)), "absolute path"),
    "zip, parent folders": ("a.zip", hostile.zipped(("../../../tmp/x", DATA)), ABOVE),
    "zip, parent folders inside": ("a.zip", hostile.zipped(("images/../../x.jpg", DATA)), ABOVE),
    "zip, drive letter": ("a.zip", hostile.zipped(("C:/Windows/x.dll", DATA)), "absolute path"),
    "zip, backslashes": ("a.zip", hostile.zipped(("..\\..\\x.jpg", DATA)), ABOVE),
    "zip, line break in a name": ("a.zip", hostile.zipped(("images/b\n.jpg", DATA)), "control characters"),
    "zip, escape in a name": ("a.zip", hostile.zipped(("images/\x1b[2Jb.jpg", DATA)), "control characters"),
    "zip, a name twice": ("a.zip", hostile.zipped(("images/a.jpg", DATA)), "stands in it twice"),
    "zip, link": ("a.zip", hostile.zip_of_kind(hostile.LINK), "a link or a device"),
    "zip, device": ("a.zip", hostile.zip_of_kind(hostile.DEVICE), "a link or a device"),
    "zip, pipe": ("a.zip", hostile.zip_of_kind(hostile.PIPE), "a link or a device"),
    "zip, a file of two gigabytes": ("a.zip", hostile.declared(2 << 30), "archives.max_file_mb is 1024"),
    "zip, a file of exabytes": ("a.zip", hostile.declared(1 << 60), "archives.max_file_mb is 1024"),
    "zip, bomb of one file": ("a.zip", hostile.declared(900 << 20), "archives.max_ratio"),
    "zip, bomb of many files": ("a.zip", hostile.declared(50 << 20, 40), "archives.max_ratio"),
    "zip, too deep": ("a.zip", hostile.nested(3), "4 archives deep, archives.max_depth is 3"),
    "zip, encrypted": ("a.zip", hostile.encrypted(), "encrypted"),
    "zip, unknown compression": ("a.zip", hostile.strange_method(), "compression"),
    "zip, members' headers overwritten": ("a.zip", hostile.damaged_local_headers(), "Bad magic number"),
    "zip, cut off": ("a.zip", hostile.zipped()[:-30], "not a whole zip archive"),
    "zip, text": ("a.zip", b"<html>Sign in</html>", "a web page"),
    "zip, empty file": ("a.zip", b"", "not a whole zip archive"),
    "tar, absolute path": ("a.tar", hostile.tar_of_kind(tarfile.REGTYPE, "/etc/x"), "absolute path"),
    "tar, parent folders": ("a.tar", hostile.tar_of_kind(tarfile.REGTYPE, "../x"), ABOVE),
    "tar, link": ("a.tar", hostile.tar_of_kind(tarfile.SYMTYPE), "a link, a device or a sparse file"),
    "tar, hard link": ("a.tar", hostile.tar_of_kind(tarfile.LNKTYPE), "a link, a device or a sparse file"),
    "tar, device": ("a.tar", hostile.tar_of_kind(tarfile.CHRTYPE), "a link, a device or a sparse file"),
    "tar, pipe": ("a.tar", hostile.tar_of_kind(tarfile.FIFOTYPE), "a link, a device or a sparse file"),
    "tar, a file larger than the archive": ("a.tar", hostile.tar_that_lies(), "not a whole tar archive"),
    "tar.gz, bomb": ("a.tar.gz", hostile.tar_bomb(), "archives.max_ratio"),
    "tar.gz, endless": ("a.tar.gz", hostile.endless_tar(), "goes on behind its end mark"),
    "tar.gz, noise": ("a.tar.gz", b"\x1f\x8b" + bytes(range(256)), "not a whole tar archive"),
}


@pytest.mark.parametrize("kind", CASES)
def test_an_archive_that_means_harm_is_refused_in_one_line(tmp_path, kind):
    name, data, reason = CASES[kind]
    project = Project(tmp_path)
    (project.source / name).write_bytes(data)
    line = project.refused("download", "shop") or project.refused("ingest", "shop")
    assert name in line and reason in line, line


def test_limits_are_the_users(tmp_path):
    project = Project(tmp_path)
    (project.source / "a.zip").write_bytes(hostile.zipped())
    assert project.refused("download", "shop") is None
    for limit, reason in {
        "archives.max_files=1": "more than 1 files, which is archives.max_files",
        "archives.max_depth=0": "archives.max_depth: ",
    }.items():
        line = project.refused("--set", limit, "ingest", "shop")
        assert line is not None and reason in line
    assert project.refused("ingest", "shop") is None
