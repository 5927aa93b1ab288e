"""Tasks whose files go through a storage, in processes of this machine that take it for another one."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.execution import NO_FILES, Files, LocalPool
from pipeline.execution.courier import Courier
from pipeline.execution.storage import Storage
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.step import run_step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.edges import edges_step
from pipeline.steps.inputs import stage_inputs
from tests import builders
from tests.trainer.builders import make_sample


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project's folder, in which this process works."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def courier(tmp_path):
    return Courier(LocalPool(2), Storage(f"file://{tmp_path}/store"))


def write(name, data=b""):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data)


def look(task):
    """Where it works, and what lies there."""
    here = Path.cwd()
    return here, {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}


def test_a_task_sees_what_it_needs_under_the_same_names_and_nothing_else(project, courier):
    for name in ("raw/a.zip", "raw/deep/b.txt", "model", "in/0", "in/1", "unasked"):
        write(name, name.encode())
    files = Files(shared=(Path("raw"), Path("model"), Path("missing")), inputs=lambda task: {Path(f"in/{task}"): ""})
    for task, (here, names) in enumerate(courier.run_tasks(look, [0, 1], files=files)):
        assert project not in (here, *here.parents)
        assert names == {".held", "raw/a.zip", "raw/deep/b.txt", "model", f"in/{task}"}


def answer(task):
    """Writes a shard and what is kept for later; says what was kept before."""
    kept = Path("raw/net")
    before = sorted(path.name for path in kept.glob("*"))
    kept.mkdir(parents=True, exist_ok=True)
    (kept / f"answer-{task}").write_text(str(task))
    Path(f"out/{task}.npz").write_text(f"shard {task}")
    Path(f"out/{task}.json").write_text("finished")
    Path("passing").write_text("not asked for")
    return before, sorted(os.listdir("out"))


def test_shards_and_answers_come_back_whole_and_leave_the_machine(project, courier):
    write("raw/net/answer-old", b"old")
    write("raw/net/.answer.77", b"another process is writing")
    files = Files(kept=(Path("raw/net"),), outputs=lambda task: (Path(f"out/{task}.npz"), Path(f"out/{task}.json")))
    for task, (before, out) in enumerate(courier.run_tasks(answer, range(5), files=files)):
        assert Path(f"out/{task}.npz").read_text() == f"shard {task}" and Path(f"out/{task}.json").is_file()
        assert Path(f"raw/net/answer-{task}").read_text() == str(task)
        assert "answer-old" in before and ".answer.77" not in before and out == [f"{task}.json", f"{task}.npz"]
    assert len(list(project.rglob("*"))) == 2 + 10 + 1 + 7  # raw, raw/net; out; what lies in them
    assert not Path("passing").exists()


def test_an_error_is_raised_as_it_was(project, courier):
    with pytest.raises(FileNotFoundError, match="gone"):
        list(courier.run_tasks(os.listdir, ["gone", "gone"]))


@pytest.mark.parametrize("path", ["/elsewhere/data/raw/lip", "../project/data/raw/lip"])
def test_paths_that_other_machines_do_not_have_are_refused(project, courier, path):
    files = Files(unpacked=Path(path))
    with pytest.raises(
        ParamsError,
        match=rf"^executor\.storage: {path} is not told relative to .*in the project's folder, without --root$",
    ):
        list(courier.run_tasks(look, [0, 1], files=files))


def test_a_missing_input_is_told_in_one_line(project, courier):
    files = replace(NO_FILES, inputs=lambda task: {Path("in/gone.parquet"): "0" * 64})
    with pytest.raises(
        DataError, match=r"^in/gone\.parquet: cannot be read \(No such file .*Run the stage that makes it"
    ):
        list(courier.run_tasks(look, [0, 1], files=files))


class Stopped(Exception):
    pass


def test_a_stopped_run_goes_on_with_the_bytes_of_the_local_pool(project, courier, tmp_path):
    data = [parquet_bytes([sample_row(make_sample(number))], SAMPLE_SCHEMA, 2) for number in range(20)]
    builders.write_split(Path("crops/train"), data, [1] * 20, kind="crops")
    inputs = stage_inputs([Path("crops")], ["train"])
    told: list[int] = []

    def publish(name, engine, progress):
        run_step(
            edges_step(3, False, 2), inputs, lambda split, entries: builders.manifest(entries), ["train"],
            Path(name), Path(f"scratch-{name}"), engine=engine, max_rejects=0, limit_key="x", progress=progress,
        )  # fmt: skip
        return {path.relative_to(name): path.read_bytes() for path in Path(name).rglob("*") if path.is_file()}

    def stop(more):
        told.append(more)
        if sum(told) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        publish("stored", courier, stop)
    assert told == [0, 1, 1] and not Path("stored").exists()
    told.clear()
    stored = publish("stored", courier, told.append)
    assert 2 <= told[0] < 20 and sum(told) == 20, "what was finished is not made again, and what was not is"
    assert stored == publish("local", LocalPool(1), told.append) and len(stored) == 23
