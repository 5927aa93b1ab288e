"""Folders that stand for the project's: files that are brought once for a machine, and removed when nobody uses them."""

import os
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import DataError
from pipeline.execution import LocalPool
from pipeline.execution.mirror import Mirror
from pipeline.execution.storage import Storage


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The machine's folder, of this process and of those that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"hpp-{os.getuid()}"


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}/store")


def stored(storage, folder, **files):
    shared = {}
    for name, data in files.items():
        (folder / name).write_bytes(data)
        shared[f"data/raw/{name}"] = storage.put(folder / name)
    return shared


def inode_in_a_mirror(url, shared, task):
    mirror = Mirror(Storage(url), shared, "scratch/archives")
    time.sleep(0.2)  # long enough for the others to begin
    return os.stat(mirror.folder / "data/raw/images").st_ino, (mirror.folder / "scratch/archives").resolve()


def test_processes_of_a_machine_that_begin_together_share_one_copy(machine, storage, tmp_path):
    shared = stored(storage, tmp_path, images=os.urandom(1 << 20), masks=b"masks")
    found = set(LocalPool(3).run_tasks(partial(inode_in_a_mirror, storage.url, shared), range(6)))
    assert len(found) == 1 and next(iter(found))[1] == machine / "unpacked"


def test_what_no_living_process_uses_goes(machine, storage, tmp_path):
    first = Mirror(storage, stored(storage, tmp_path, old=b"old", both=b"both"), "scratch/archives")
    (first.folder / "scratch/archives/big.zip").write_bytes(b"unpacked")
    second = Mirror(storage, stored(storage, tmp_path, both=b"both", new=b"new"), "scratch/archives")
    assert first.folder.is_dir() and (second.folder / "scratch/archives/big.zip").is_file()
    old, both = first.folder / "data/raw/old", second.folder / "data/raw/both"
    assert old.read_bytes() == b"old" and both.stat().st_nlink == 3
    gone = first.folder
    del first, old
    third = Mirror(storage, stored(storage, tmp_path, both=b"both"), None)
    assert not gone.exists() and second.folder.is_dir()
    assert {path.read_bytes() for path in (machine / "objects").iterdir()} == {b"both", b"new"}
    kept = (third.folder / "data/raw/both").stat().st_ino
    del second, third
    last = Mirror(storage, stored(storage, tmp_path, both=b"both"), "scratch/archives")
    assert (last.folder / "data/raw/both").stat().st_ino == kept, "brought again, though it was there"
    assert len(list((machine / "objects").iterdir())) == 1 and not os.listdir(last.folder / "scratch/archives")


def test_a_folder_of_another_user_is_refused(machine, storage, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Path(machine).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"hpp-\d+: not a folder of this user on .*Remove it, or set TMPDIR there$"):
        Mirror(storage, {}, None)
