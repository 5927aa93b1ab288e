"""The Ray engine on this machine: the same results, errors and bytes as the local pool's."""

import operator
import os
import shutil
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import pytest

from pipeline.detection.loading import load_detector
from pipeline.errors import DataError, ParamsError, WorkerDied
from pipeline.execution import NO_FILES, Files, LocalPool
from pipeline.execution.cluster import RayCluster
from pipeline.execution.courier import Courier
from pipeline.execution.storage import Storage
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.raw_outputs import RawOutputs
from pipeline.shards.read import read_table
from pipeline.shards.step import run_step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.crop import Selection, found_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.detecting import RawPeople
from pipeline.steps.edges import edges_step
from pipeline.steps.inputs import stage_inputs
from stages.paths import TEACHERS
from tests import builders
from tests.trainer.builders import make_sample

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(
        "local", num_cpus=2, num_gpus=0, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False,
        logging_level="error",
    )  # fmt: skip
    yield RayCluster(2)
    ray.shutdown()


def test_results_come_in_the_order_of_the_tasks(cluster):
    tasks = list(range(9))
    assert list(cluster.run_tasks(partial(operator.mul, 3), tasks)) == [3 * task for task in tasks]
    assert list(cluster.run_tasks(partial(operator.mul, 3), tasks, resident=True)) == [3 * task for task in tasks]
    assert list(cluster.run_tasks(len, [])) == [] and cluster.workers == 2


@pytest.mark.parametrize("resident", [False, True])
def test_the_first_failure_is_raised_as_it_was_and_later_tasks_are_dropped(cluster, tmp_path, resident):
    (tmp_path / "there").mkdir()
    folders = [tmp_path / "there", *(tmp_path / f"{i}" for i in range(40))]
    with pytest.raises(FileExistsError) as raised:
        list(cluster.run_tasks(os.mkdir, folders, resident=resident))
    assert type(raised.value) is FileExistsError and raised.value.filename == str(tmp_path / "there")
    assert len(list(tmp_path.iterdir())) < 20


def test_a_users_error_keeps_its_one_line(cluster, tmp_path):
    work = edges_step(3, False, 2).work
    with pytest.raises(DataError, match=r"not a whole parquet shard") as there:
        list(cluster.run_tasks(work, [(tmp_path / "gone.parquet",)]))
    with pytest.raises(DataError) as here:
        list(LocalPool(1).run_tasks(work, [(tmp_path / "gone.parquet",)]))
    assert type(there.value) is DataError and str(there.value) == str(here.value)


def test_work_is_done_in_the_drivers_folder(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    assert list(cluster.run_tasks(os.listdir, ["."])) == [["inside"]]


DIES_ONCE = """
import os, signal
if not os.path.exists({mark!r}):
    open({mark!r}, "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("resident", [False, True])
def test_a_task_whose_process_was_killed_is_tried_again(cluster, tmp_path, resident):
    mark = str(tmp_path / "mark")
    assert list(cluster.run_tasks(exec, [DIES_ONCE.format(mark=mark)], resident=resident)) == [None]
    assert os.path.exists(mark)


def test_a_task_that_always_kills_its_process_is_told_in_one_line(cluster):
    kill = f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGKILL)})"
    with pytest.raises(
        WorkerDied, match=r"^Ray: .*Run the command again, it goes on with what is not finished$"
    ) as raised:
        list(cluster.run_tasks(eval, [kill]))
    assert "\n" not in str(raised.value)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def publish(step, inputs, folder, engine, files=NO_FILES):
    run_step(
        step, inputs, lambda split, entries: builders.manifest(entries), ["train"],
        folder / "out", folder / "scratch", engine=engine, files=files, max_rejects=0, limit_key="x", progress=lambda n: None,
    )  # fmt: skip
    return contents(folder / "out")


def test_shards_have_the_bytes_of_the_local_pool(cluster, tmp_path):
    data = [parquet_bytes([sample_row(make_sample(10 * n + i)) for i in range(3)], SAMPLE_SCHEMA, 2) for n in range(5)]
    builders.write_split(tmp_path / "crops/train", data, [3] * 5, kind="crops")
    inputs = stage_inputs([tmp_path / "crops"], ["train"])
    step = edges_step(3, False, 2)
    local, ray = (publish(step, inputs, tmp_path / name, engine) for name, engine in
                  (("local", LocalPool(1)), ("ray", cluster)))  # fmt: skip
    assert local == ray and len(local) == 8


def test_a_teacher_is_loaded_in_its_actor_and_finds_the_same_people(cluster, tmp_path):
    images = [builders.record(f"im{number}", image=builders.image_pixels(64, 48, seed=number)) for number in range(4)]
    for number in range(2):
        builders.write_records(
            tmp_path / f"images/train/part-{number:05d}.parquet", images[2 * number : 2 * number + 2]
        )
    data = [path.read_bytes() for path in sorted((tmp_path / "images/train").iterdir())]
    builders.write_split(tmp_path / "ingest/train", data, [2, 2], kind="images")
    inputs = stage_inputs([tmp_path / "ingest"], ["train"])
    outs = []
    for name, engine in (("local", LocalPool(2)), ("ray", cluster)):
        load = partial(load_detector, TEACHERS / "detector.safetensors")
        raw_people = RawPeople(load(), tmp_path / name / "scratch", load)
        step = found_step(CutRules("black", 0, 1, 0.2), Selection(0.05, 0.5), raw_people, 2)
        outs.append((publish(step, inputs, tmp_path / name, engine), contents(tmp_path / name / "scratch/raw")))
    assert outs[0] == outs[1] and outs[0][1]


@pytest.fixture
def courier(cluster, tmp_path, monkeypatch):
    """The same processes, taken for machines that see nothing of the project."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return Courier(RayCluster(2, folder_shared=False), Storage(f"file://{tmp_path}/store"))


LOOK = "(__import__('os').getcwd(), sorted(__import__('os').listdir()))"


def test_through_a_storage_a_task_works_elsewhere_with_the_files_of_its_run_alone(courier):
    for name in ("asked", "asked next", "unasked"):
        Path(name).write_text(name)
    for name in ("asked", "asked next"):  # in the same processes
        for here, names in courier.run_tasks(eval, [LOOK] * 4, files=Files(shared=(Path(name),))):
            assert Path.cwd() not in (Path(here), *Path(here).parents) and names == [".held", name]


def test_through_a_storage_a_killed_process_is_replaced(courier, tmp_path):
    mark = str(tmp_path / "mark")
    dies = DIES_ONCE.format(mark=mark) + "open('out/a', 'w').write(open('asked').read())"
    Path("asked").write_text("asked")
    files = Files(inputs=lambda task: {Path("asked"): ""}, outputs=lambda task: (Path("out/a"),))
    assert list(courier.run_tasks(exec, [dies], files=files)) == [None]
    assert os.path.exists(mark) and Path("out/a").read_text() == "asked"


def test_through_a_storage_a_teacher_finds_kept_answers_and_gives_new_ones(courier):
    images = [builders.record(f"im{number}", image=builders.image_pixels(64, 48, seed=number)) for number in range(2)]
    for number, image in enumerate(images):
        builders.write_records(Path(f"images/part-{number:05d}.parquet"), [image])
    data = [path.read_bytes() for path in sorted(Path("images").iterdir())]
    builders.write_split(Path("ingest/train"), data, [1, 1], kind="images")
    weights = Path("models/detector.safetensors")
    weights.parent.mkdir()
    shutil.copyfile(TEACHERS / weights.name, weights)
    load = partial(load_detector, weights)
    raw_people = RawPeople(load(), Path("scratch"), load)

    def people(engine, score):
        step = found_step(CutRules("black", 0, 1, 0.2), Selection(score, 0.5), raw_people, 2)
        files = Files(shared=(weights,), kept=(raw_people.folder,))
        publish(step, stage_inputs([Path("ingest")], ["train"]), Path(), engine, files)
        return [len(read_table(path)) for path in sorted(Path("out/train").glob("*.parquet"))]

    first, second = people(LocalPool(1), 0.0)
    assert first and second
    forgotten, changed = sorted(raw_people.folder.iterdir())
    asked = contents(raw_people.folder)
    forgotten.unlink()
    table = read_table(changed)
    changed.unlink()
    rows = [{**row, "boxes": [], "scores": [], "rle_counts": []} for row in table.to_pylist()]
    RawOutputs(raw_people.folder, table.schema).keep(rows)
    assert sorted(people(courier, 1e-6)) in ([0, first], [0, second]), "the kept answer says that there is nobody"
    assert contents(raw_people.folder)[forgotten.name] == asked[forgotten.name] and len(asked) == 2


def test_a_network_without_a_file_to_load_is_not_sent(tmp_path):
    with pytest.raises(ValueError, match="reload: None, expected a function that loads the detector"):
        rebuild, arguments = RawPeople(load_detector(TEACHERS / "detector.safetensors"), tmp_path).__reduce__()
        rebuild(*arguments)


def test_an_address_where_nobody_listens_is_told_in_one_line(monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    message = (
        rf"^executor\.address: no Ray cluster answers at '{address}' \(.*refused\)\. Start one with `ray start --head`"
    )
    with pytest.raises(ParamsError, match=message):
        list(RayCluster(2, address).run_tasks(abs, [1, 2]))


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ParamsError, match=r"^executor\.backend: ray is not installed\. Run pip install .*\[ray\]"):
        RayCluster(2)
