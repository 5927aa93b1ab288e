"""The storage in a bucket: files through the S3 protocol, spoken with a server on this machine."""

import hashlib
import os
from pathlib import Path

import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.execution import Files, LocalPool
from pipeline.execution.courier import Courier
from pipeline.execution.storage import Storage

s3fs = pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def address():
    """A server that knows one bucket, called `bucket`."""
    with pytest.MonkeyPatch.context() as patch:
        running = server.ThreadedMotoServer(port=0, verbose=False)
        running.start()
        address = f"http://127.0.0.1:{running.get_host_and_port()[1]}"
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("AWS_ENDPOINT_URL", address)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem().mkdir("bucket")
        yield address
        running.stop()


def written(path, data):
    path.write_bytes(data)
    return path


def test_files_go_into_a_bucket_and_come_back(address, tmp_path):
    storage = Storage("s3://bucket/hpp/")
    data = os.urandom(12 << 20)
    sha256 = storage.put(written(tmp_path / "a", data))
    assert sha256 == hashlib.sha256(data).hexdigest() == storage.put(tmp_path / "a", sha256)
    storage.bring(sha256, tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == data
    assert s3fs.S3FileSystem().ls("bucket/hpp/objects") == [f"bucket/hpp/objects/{sha256}"]


def test_a_damaged_object_and_one_that_is_gone_are_told_in_one_line(address, tmp_path):
    storage, store = Storage("s3://bucket/other"), s3fs.S3FileSystem()
    sha256 = storage.put(written(tmp_path / "a", b"crops"))
    store.pipe_file(f"bucket/other/objects/{sha256}", b"crap!")
    with pytest.raises(DataError, match=rf"s3://bucket/other/objects/{sha256} is damaged"):
        storage.bring(sha256, tmp_path / "b")
    store.rm_file(f"bucket/other/objects/{sha256}")
    with pytest.raises(
        DataError, match=r"b cannot be brought to .*: not found there\)\. Run the command again"
    ) as raised:
        storage.bring(sha256, tmp_path / "b")
    assert "\n" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_told_and_not_made(address, tmp_path):
    with pytest.raises(
        ParamsError, match=r"^executor\.storage: s3://buckte/hpp cannot be written .*Give a folder"
    ) as raised:
        Storage("s3://buckte/hpp").put(written(tmp_path / "a", b"crops"))
    assert "\n" not in str(raised.value) and s3fs.S3FileSystem().ls("") == ["bucket"]


def copy(task):
    Path(f"out-{task}").write_bytes(Path(f"in-{task}").read_bytes() * 2)
    return Path.cwd()


def test_tasks_get_and_give_their_files_through_a_bucket(address, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for task in range(4):
        Path(f"in-{task}").write_text(f"file {task} ")
    files = Files(inputs=lambda task: {Path(f"in-{task}"): ""}, outputs=lambda task: (Path(f"out-{task}"),))
    courier = Courier(LocalPool(2), Storage("s3://bucket/tasks"))
    for task, place in enumerate(courier.run_tasks(copy, range(4), files=files)):
        assert place != Path.cwd() and Path(f"out-{task}").read_text() == f"file {task} file {task} "
