import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.execution import LocalPool
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import Manifest
from pipeline.shards.step import Finding, ShardInput, ShardReport, Step, Tally, content_hash, run_step
from pipeline.shards.write import parquet_bytes, replace_folder
from pipeline.steps.edges import edges_step
from pipeline.steps.inputs import stage_inputs
from tests import builders
from tests.trainer.builders import make_sample


class Work:
    """Upper-cases a text, counts its calls; 'bad ...' and, by a check, 'twisted ...' are rejected, 'none ...' is an outcome."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, text: str) -> tuple[bytes, ShardReport]:
        self.calls.append(text)
        report = ShardReport(records=1, counts=Tally(letters=len(text), weight=1.5))
        if text.startswith("bad"):
            report.rejects.append(Finding(text, f"toy/{text}: x.jpg is damaged"))
        if text.startswith("twisted"):
            report.rejects.append(Finding(text, f"toy/{text}: left is right", "left_right"))
        if text.startswith("none"):
            report.outcomes.append(Finding(text, "nobody was found"))
        return text.upper().encode(), report


def shards(*texts: str, split: str = "train") -> list[ShardInput]:
    return [ShardInput(split, f"part-{number:05d}", text, content_hash(text)) for number, text in enumerate(texts)]


def run(folder: Path, work, inputs, *, parameters=None, version=1, splits=("train",), limit=0, workers=1, gate=None):
    step = Step("toy", version, parameters or {"a": 1}, "bin", work)
    told: list[int] = []
    reports = run_step(
        step, inputs, lambda split, entries: builders.manifest(entries, split=split), splits,
        folder / "out", folder / "scratch", engine=LocalPool(workers), max_rejects=limit, limit_key="quality.max_rejects",
        progress=told.append, gate=gate,
    )  # fmt: skip
    assert sum(told) == len(inputs)
    return reports


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_every_split_is_published_with_its_manifest_and_lists(tmp_path):
    inputs = shards("one", "none two") + shards("three", split="val")
    reports = run(tmp_path, Work(), inputs, splits=("train", "val", "test"))
    found = contents(tmp_path / "out")
    assert set(found) == {
        "train/part-00000.bin", "train/part-00001.bin", "val/part-00000.bin",
        *(f"{split}/{name}" for split in ("train", "val", "test") for name in ("manifest.json", "rejects.jsonl", "outcomes.jsonl")),
    }  # fmt: skip
    assert found["train/part-00001.bin"] == b"NONE TWO" and found["val/part-00000.bin"] == b"THREE"
    assert json.loads(found["train/outcomes.jsonl"]) == {"sample_id": "none two", "reason": "nobody was found"}
    assert found["train/rejects.jsonl"] == b"" == found["test/outcomes.jsonl"]
    assert reports["train"].records == 2 and reports["train"].counts == {"letters": 11, "weight": 3.0}
    assert reports["test"].records == 0
    for split in ("train", "val", "test"):
        for entry in Manifest.read(tmp_path / "out" / split).shards:
            data = found[f"{split}/{entry.name}"]
            assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert len(Manifest.read(tmp_path / "out/test").shards) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"out", "scratch"}


def test_finished_shards_are_not_made_again_and_their_reports_stay(tmp_path):
    work = Work()
    first = run(tmp_path, work, shards("a", "none b"))
    before = contents(tmp_path / "out")
    second = run(tmp_path, work, shards("a", "none b"))
    assert work.calls == ["a", "none b"] and second == first and contents(tmp_path / "out") == before


def test_one_changed_input_makes_only_its_shard_again(tmp_path):
    work = Work()
    run(tmp_path, work, shards("a", "b", "c"))
    run(tmp_path, work, shards("a", "B!", "c"))
    assert work.calls == ["a", "b", "c", "B!"]
    assert contents(tmp_path / "out")["train/part-00001.bin"] == b"B!"


def test_an_appended_shard_is_the_only_one_made(tmp_path):
    work = Work()
    run(tmp_path, work, shards("a", "b"))
    before = contents(tmp_path / "out")
    run(tmp_path, work, shards("a", "b", "c"))
    assert work.calls == ["a", "b", "c"]
    after = contents(tmp_path / "out")
    assert all(after[name] == before[name] for name in ("train/part-00000.bin", "train/part-00001.bin"))


@pytest.mark.parametrize("change", [{"parameters": {"a": 2}}, {"version": 2}])
def test_another_parameter_or_version_makes_every_shard_again_and_back_none(tmp_path, change):
    work = Work()
    run(tmp_path, work, shards("a", "b"))
    run(tmp_path, work, shards("a", "b"), **change)
    assert work.calls == ["a", "b"] * 2
    run(tmp_path, work, shards("a", "b"))
    assert work.calls == ["a", "b"] * 2


def test_steps_of_one_name_and_input_but_other_parameters_have_other_keys():
    one, other = (Step("toy", 1, {"a": a}, "bin", Work()) for a in (1, 2))
    shard = shards("x")[0]
    assert one.key(shard) != other.key(shard) and one.key(shard) == Step("toy", 1, {"a": 1}, "bin", None).key(shard)


def test_a_shard_that_is_gone_is_not_published_any_more(tmp_path):
    run(tmp_path, Work(), shards("a", "b"))
    run(tmp_path, Work(), shards("a"))
    assert "train/part-00001.bin" not in contents(tmp_path / "out")


def test_rejects_over_the_limit_publish_nothing_and_name_the_reason(tmp_path):
    message = r"^toy/bad a: x\.jpg is damaged \(and 1 more\)\. toy rejected 2, quality\.max_rejects allows 1; nothing was published"
    with pytest.raises(DataError, match=message):
        run(tmp_path, Work(), shards("bad a", "ok", "bad b"), limit=1)
    assert {path.name for path in tmp_path.iterdir()} == {"scratch"}


def test_rejects_over_the_limit_leave_the_earlier_output(tmp_path):
    run(tmp_path, Work(), shards("a"))
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match="nothing was published"):
        run(tmp_path, Work(), shards("bad a"))
    assert contents(tmp_path / "out") == before


def test_rejects_within_the_limit_are_listed(tmp_path):
    reports = run(tmp_path, Work(), shards("bad a", "ok", "bad b"), limit=2)
    lines = (tmp_path / "out/train/rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample_id"] for line in lines] == ["bad a", "bad b"]
    assert [finding.sample_id for finding in reports["train"].rejects] == ["bad a", "bad b"]


def test_outcomes_are_never_set_against_the_limit(tmp_path):
    assert len(run(tmp_path, Work(), shards("none a", "none b"), limit=0)["train"].outcomes) == 2


def test_no_limit_passes_any_number(tmp_path):
    assert len(run(tmp_path, Work(), shards("bad a", "bad b"), limit=None)["train"].rejects) == 2


def test_the_gate_sees_all_splits_adds_outcomes_and_has_its_own_limits(tmp_path):
    def gate(reports):
        assert {split: len(report.rejects) for split, report in reports.items()} == {"train": 1, "val": 0}
        reports["val"].outcomes.append(Finding("b", "toy/b: the same as a", "duplicates"))

    run(tmp_path, Work(), [*shards("twisted a"), *shards("b", split="val")], splits=("train", "val"), gate=gate)
    (reject,) = (tmp_path / "out/train/rejects.jsonl").read_text().splitlines()
    assert json.loads(reject) == {
        "sample_id": "twisted a",
        "reason": "toy/twisted a: left is right",
        "check": "left_right",
    }
    (outcome,) = (tmp_path / "out/val/outcomes.jsonl").read_text().splitlines()
    assert json.loads(outcome)["check"] == "duplicates"
    with pytest.raises(DataError, match="toy/bad a"):
        run(tmp_path, Work(), shards("bad a", "twisted a"), gate=lambda reports: None)


def test_a_gate_that_refuses_publishes_nothing(tmp_path):
    def refuse(reports):
        raise DataError("too much")

    with pytest.raises(DataError, match="too much"):
        run(tmp_path, Work(), shards("a"), gate=refuse)
    assert {path.name for path in tmp_path.iterdir()} == {"scratch"}


def test_marks_are_kept_with_the_shard(tmp_path):
    def work(text):
        return text.encode(), ShardReport(records=1, marks=[{"sample_id": text, "look": "0f"}])

    for _ in range(2):  # made, then found in scratch
        assert run(tmp_path, work, shards("a", "b"))["train"].marks == [
            {"sample_id": "a", "look": "0f"}, {"sample_id": "b", "look": "0f"},
        ]  # fmt: skip


def test_a_reject_that_is_not_damaged_is_not_tried_again(tmp_path):
    work = Work()
    for _ in range(2):
        run(tmp_path, work, shards("twisted a"), gate=lambda reports: None)
    assert work.calls == ["twisted a"]


def test_a_shard_with_rejects_is_tried_again(tmp_path):
    # The archive was got again: its directory, and so the key, is that of the damaged one.
    damaged = [ShardInput("train", "part-00000", "bad a", "same")]
    mended = [ShardInput("train", "part-00000", "good a", "same")]
    with pytest.raises(DataError):
        run(tmp_path, Work(), damaged)
    assert not run(tmp_path, Work(), mended)["train"].rejects
    assert contents(tmp_path / "out")["train/part-00000.bin"] == b"GOOD A"


def test_a_published_shard_that_was_damaged_is_made_again(tmp_path):
    work = Work()
    run(tmp_path, work, shards("a", "b"))
    before = contents(tmp_path / "out")
    with (tmp_path / "out/train/part-00000.bin").open("r+b") as file:
        file.write(b"?")
    run(tmp_path, work, shards("a", "b"))
    assert work.calls == ["a", "b", "a"] and contents(tmp_path / "out") == before


@pytest.mark.parametrize("left", [b"", b"\0" * 100, b'{"records": 1, "cou'])
@pytest.mark.parametrize("suffix", ["json", "bin"])
def test_a_shard_that_a_power_cut_left_without_content_is_made_again(tmp_path, left, suffix):
    work = Work()
    inputs = shards("one", "two")
    run(tmp_path, work, inputs)
    whole = contents(tmp_path / "out")
    torn = next(path for path in (tmp_path / "scratch/toy").glob("*.bin") if path.read_bytes() == b"TWO")
    torn.with_suffix(f".{suffix}").unlink()
    torn.with_suffix(f".{suffix}").write_bytes(left)
    run(tmp_path, work, inputs)
    assert work.calls == ["one", "two", "two"] and contents(tmp_path / "out") == whole


def test_all_shards_are_on_the_disk_before_they_are_published(tmp_path, monkeypatch):
    on_disk, fsync = set(), os.fsync

    def told(file):
        fsync(file)
        on_disk.add(os.fstat(file).st_ino)

    def replaced(new, target):
        assert {path.stat().st_ino for path in new.rglob("*.bin")} <= on_disk and on_disk
        replace_folder(new, target)

    monkeypatch.setattr(os, "fsync", told)
    monkeypatch.setattr("pipeline.shards.step.replace_folder", replaced)
    run(tmp_path, Work(), shards("one", "two") + shards("three", split="val"), splits=("train", "val"))
    assert len(contents(tmp_path / "out")) == 9


def test_a_failure_in_the_middle_publishes_nothing_and_is_gone_on_from(tmp_path):
    class Fails(Work):
        def __call__(self, text):
            if text == "c":
                raise RuntimeError("a bug")
            return super().__call__(text)

    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path, Fails(), shards("a", "b", "c"))
    assert {path.name for path in tmp_path.iterdir()} == {"scratch"}
    work = Work()
    run(tmp_path, work, shards("a", "b", "c"))
    assert work.calls == ["c"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.pipeline.shards.test_step import Work, run, shards
class Killed(Work):
    def __call__(self, text):
        if text == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(text)
run(Path({folder!r}), Killed(), shards("a", "b", "c", "d"))
"""


def test_a_killed_run_leaves_no_output_and_the_next_one_goes_on(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    script = KILLED.format(root=str(Path(__file__).parents[3]), folder=str(killed))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert {path.name for path in killed.iterdir()} == {"scratch"}
    work = Work()
    run(killed, work, shards("a", "b", "c", "d"))
    assert work.calls == ["c", "d"]
    run(whole, Work(), shards("a", "b", "c", "d"))
    assert contents(killed / "out") == contents(whole / "out")


def test_one_and_two_workers_give_the_same_bytes(tmp_path):
    data = [parquet_bytes([sample_row(make_sample(10 * n + i)) for i in range(3)], SAMPLE_SCHEMA, 2) for n in range(5)]
    builders.write_split(tmp_path / "crops/train", data, [3] * 5, kind="crops")
    inputs = stage_inputs([tmp_path / "crops"], ["train"])
    outs = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        reports = run_step(
            edges_step(3, False, 2), inputs, lambda split, entries: builders.manifest(entries), ["train"],
            out, tmp_path / f"scratch{workers}", engine=LocalPool(workers), max_rejects=0, limit_key="x", progress=lambda n: None,
        )  # fmt: skip
        outs.append((contents(out), reports))
    assert outs[0] == outs[1] and outs[0][1]["train"].counts["masks"] == 15


def test_inputs_of_several_stages_are_joined_by_place(tmp_path):
    for stage, values in (("crops", b"ab"), ("pose", b"cd")):
        builders.write_split(tmp_path / stage / "train", [values[:1], values[1:]], [4, 3])
    first, second = stage_inputs([tmp_path / "crops", tmp_path / "pose"], ["train"], stem="heatmaps")
    assert (first.split, first.stem, second.stem) == ("train", "heatmaps-00000", "heatmaps-00001")
    assert [path.read_bytes() for path in second.inputs] == [b"b", b"d"]
    builders.write_split(tmp_path / "pose/train", [b"c", b"!"], [4, 3])
    again = stage_inputs([tmp_path / "crops", tmp_path / "pose"], ["train"])
    assert again[0].content == first.content and again[1].content != second.content


@pytest.mark.parametrize("counts", [[4, 2], [4], [4, 3, 0]])
def test_stages_whose_shards_do_not_fit_are_refused(tmp_path, counts):
    builders.write_split(tmp_path / "crops/train", [b"a", b"b"], [4, 3])
    builders.write_split(tmp_path / "pose/train", [b"x"] * len(counts), counts)
    with pytest.raises(DataError, match=r"pose/train: its shards do not fit those of .*crops/train"):
        stage_inputs([tmp_path / "crops", tmp_path / "pose"], ["train"])


def test_reports_are_summed():
    one, other = ShardReport(2, Tally(a=1)), ShardReport(3, Tally(a=2, b=1), [Finding("x", "y")])
    one.add(other)
    assert (one.records, one.counts, len(one.rejects)) == (5, {"a": 3, "b": 1}, 1)
    assert np.all([finding == Finding("x", "y") for finding in one.rejects])


def test_what_a_step_adds_to_a_split_is_published_with_it(tmp_path):
    def finish(split, folder):
        if split == "val" and (folder / "part-00000.bin").read_bytes() == b"ODD":
            raise DataError("spoilt")
        (folder / "joined.json").write_text(f"{split} {len(Manifest.read(folder).shards)}")

    def publish(*inputs):
        run_step(
            Step("toy", 1, {}, "bin", Work()), inputs, lambda split, entries: builders.manifest(entries, split=split),
            ("train", "val"), tmp_path / "out", tmp_path / "scratch", engine=LocalPool(1), max_rejects=0, limit_key="x",
            progress=lambda n: None, finish=finish,
        )  # fmt: skip

    publish(*shards("one", "two"), *shards("three", split="val"))
    joined = {path.parent.name: path.read_text() for path in (tmp_path / "out").rglob("joined.json")}
    assert joined == {"train": "train 2", "val": "val 1"}
    before = contents(tmp_path / "out")
    with pytest.raises(DataError, match="spoilt"):
        publish(*shards("one"), *shards("odd", split="val"))
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "scratch"]
