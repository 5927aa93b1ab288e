import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.shards import write
from pipeline.shards.write import (
    folder_aside,
    npz_bytes,
    parquet_bytes,
    remove_leftovers,
    replace_folder,
    write_whole,
)

MAKE = """
import hashlib, time
import numpy as np, pyarrow as pa
from pipeline.shards.write import npz_bytes, parquet_bytes

schema = pa.schema([("sample_id", pa.string()), ("values", pa.list_(pa.float32())), ("image", pa.binary())])
rows = [{"sample_id": f"a.b_{i}", "values": [i / 3] * 5, "image": bytes([i % 256]) * 999} for i in range(50)]
arrays = {f"a.b_{i}": np.arange(i, i + 30, dtype=np.float16).reshape(2, 3, 5) for i in range(5)}
digests = [hashlib.sha256(data).hexdigest() for data in (
    parquet_bytes(rows, schema, 7), npz_bytes(arrays.items(), True), npz_bytes(arrays.items(), False))]
"""


def test_equal_rows_give_equal_bytes_in_every_process():
    here: list[list[str]] = []
    for _ in range(2):
        space: dict = {}
        exec(MAKE, space)
        here.append(space["digests"])
    # Another process, another clock, another hash seed.
    there = subprocess.run(
        [sys.executable, "-c", f"import time; time.sleep(2)\n{MAKE}\nprint(*digests)"],
        capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"},
    ).stdout.split()  # fmt: skip
    assert here[0] == here[1] == there and len(set(there)) == 3


def test_parquet_keeps_rows_and_row_groups():
    schema = pa.schema([("sample_id", pa.string()), ("value", pa.int32())])
    rows = [{"sample_id": f"s{i}", "value": i} for i in range(10)]
    file = pq.ParquetFile(io.BytesIO(parquet_bytes(rows, schema, 4)))
    assert file.read().to_pylist() == rows
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 2]


def test_parquet_of_no_rows_is_whole():
    schema = pa.schema([("sample_id", pa.string())])
    assert pq.ParquetFile(io.BytesIO(parquet_bytes([], schema, 4))).read().to_pylist() == []


@pytest.mark.parametrize("compress", [False, True])
def test_npz_is_numpys_own_form(compress):
    arrays = {"b.2": np.arange(6, dtype=np.float16).reshape(1, 2, 3), "a_1": np.zeros((0, 2, 2), np.float16)}
    data = npz_bytes(arrays.items(), compress)
    back = np.load(io.BytesIO(data), allow_pickle=False)
    assert back.files == ["b.2", "a_1"]
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and np.array_equal(back[name], array)
    infos = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.compress_type for info in infos} == {zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED}


def test_compressed_maps_are_smaller():
    arrays = {"a": np.zeros((16, 48, 32), np.float16)}
    assert len(npz_bytes(arrays.items(), True)) < len(npz_bytes(arrays.items(), False)) / 10


def test_a_file_is_written_whole_and_nothing_else_stays(tmp_path):
    write_whole(tmp_path / "a.bin", b"one")
    write_whole(tmp_path / "a.bin", b"two")
    assert (tmp_path / "a.bin").read_bytes() == b"two" and [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_files_are_flushed_one_by_one_or_all_together(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (flushed.append(os.fstat(file).st_ino), fsync(file)))
    write.write_whole(tmp_path / "a", b"1")
    assert flushed == [(tmp_path / "a").stat().st_ino]
    paths = [tmp_path / f"b{number}" for number in range(40)]
    for path in paths:
        write.write_whole(path, b"2", flush=False)
    assert len(flushed) == 1
    write.flush_files(paths)
    assert sorted(flushed[1:]) == sorted(path.stat().st_ino for path in paths)
    with pytest.raises(FileNotFoundError):
        write.flush_files([tmp_path / "absent"])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_whole(tmp_path / "a.bin", b"one")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a.bin", "no bytes")
    assert (tmp_path / "a.bin").read_bytes() == b"one" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name, text in (("target", "old"), ("new", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{text}.txt").write_text(text)
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["new.txt"]


@pytest.mark.parametrize("exchanging", [True, False])
def test_the_old_folder_stands_until_the_new_one_does(tmp_path, monkeypatch, exchanging):
    for name in ("target", "new"):
        (tmp_path / name).mkdir()
    if not exchanging:
        monkeypatch.setattr(write, "_exchanged", lambda one, other: False)
    stood = []

    def looked(rename):
        def renamed(self, target):
            stood.append((tmp_path / "target").exists())
            return rename(self, target)

        return renamed

    monkeypatch.setattr(Path, "rename", looked(Path.rename))
    replace_folder(tmp_path / "new", tmp_path / "target")
    assert stood == ([] if exchanging else [True, False])  # exchanged in one step, where that can be done
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_an_old_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_exchanged", lambda one, other: False)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old.txt").write_text("old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "missing", tmp_path / "target")
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "old.txt"]
    # ... and where the process was killed between the two renamings, the next one puts it back.
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    (tmp_path / "target").rename(tmp_path / f".target.old-{int(gone.stdout)}")
    remove_leftovers(tmp_path / "target")
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "old.txt"]


def test_a_folder_aside_is_gone_after_its_block_and_known_as_a_leftover(tmp_path):
    with folder_aside(tmp_path / "out") as aside:
        assert Path(aside).parent == tmp_path and Path(aside).is_dir()
    assert not list(tmp_path.iterdir())
    code = (
        "import os, sys; from pathlib import Path; from pipeline.shards.write import folder_aside; "
        "aside = folder_aside(Path(sys.argv[1])); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_folder_without_predecessor_gets_its_parents(tmp_path):
    (tmp_path / "new").mkdir()
    replace_folder(tmp_path / "new", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir() and not (tmp_path / "new").exists()


def test_digests_are_of_the_bytes(tmp_path):
    from pipeline.shards.manifest import sha256_of

    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


def test_what_killed_runs_left_beside_a_folder_is_removed_and_nothing_else(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        kept = {"lip", "cihp", f".lip.new-{running.pid}", ".lip.new-mine", ".cihp.new-1"}
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        for name in (*kept, f".lip.new-{gone.pid}", f".lip.old-{gone.pid}", f".lip.new-{os.getpid()}"):
            (tmp_path / name / "train").mkdir(parents=True)
        remove_leftovers(tmp_path / "lip")
        assert {path.name for path in tmp_path.iterdir()} == kept
        running.communicate(b"\n")


def test_what_a_killed_run_left_of_a_file_goes_with_the_next_one(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from pipeline.shards import write; "
        "os.fsync = lambda file: os._exit(0); write.write_whole(Path(sys.argv[1]), b'half')"
    )
    for name in ("a.json", "sub/b.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    (tmp_path / ".a.json.mine").write_bytes(b"another's")
    (tmp_path / f".a.json.1-{os.getppid()}").write_bytes(b"of a process at work")
    write.replace_file(tmp_path / "a.json", b"whole")
    kept = {"a.json", ".a.json.mine", f".a.json.1-{os.getppid()}", "sub"}
    assert {path.name for path in tmp_path.iterdir()} == kept and len(list((tmp_path / "sub").iterdir())) == 1
    write.remove_files_left(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept and not list((tmp_path / "sub").iterdir())
