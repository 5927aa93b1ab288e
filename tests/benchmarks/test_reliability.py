"""benchmarks/reliability.py: what counts as withstood, what the page says of it, and where faults strike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks.loading import load_script

fault_runs, pages = load_script("fault_runs"), load_script("reliability_page")
stopping, reliability = load_script("stopping"), load_script("reliability")
Fault, Outcome, Stopped = fault_runs.Fault, pages.Outcome, pages.Stopped

WITHSTOOD = Outcome("edges", "SIGKILL", "SIGKILL at write 3", True, -9, "", None, True, False, 0, 0, True, "")
IN_TIME = Stopped("train", 8.0, (2.0, 4.5), (143, -15), (0.4, 4.9), True, "")


@pytest.mark.parametrize(
    "change",
    [
        {"whole": False},
        {"equal": False},
        {"lost": 1},
        {"rerun": 2},
        {"stopped": 5.1},
        {"alive": True},
        {"left": ".a.parquet.12"},
    ],
)
def test_one_thing_amiss_and_a_fault_is_not_withstood(change):
    assert WITHSTOOD.good and WITHSTOOD._replace(rerun=None, stopped=4.9).good
    assert not WITHSTOOD._replace(**change).good


@pytest.mark.parametrize("change", [{"codes": (143, 0)}, {"codes": (143, 1)}, {"stopped": (5.2,)}, {"stopped": ()}, {"whole": False}, {"left": "a process"}])  # fmt: skip
def test_a_command_has_to_end_by_the_signal_in_time_and_leave_whole_files(change):
    assert IN_TIME.good and not IN_TIME._replace(**change).good


def test_the_page_counts_what_struck_and_marks_what_was_lost():
    found = [
        WITHSTOOD,
        WITHSTOOD._replace(kind="worker hangs", fault="worker hangs at answer 1", code=143, stopped=1.26),
        WITHSTOOD._replace(fault="SIGKILL at write 9", lost=2, equal=False, told="a | b"),
        WITHSTOOD._replace(kind="I/O error", fault="worker: I/O error at write 7", struck=False, code=0),
    ]
    text = pages.page(found, [IN_TIME, IN_TIME._replace(command="show", left="a process")])
    assert "**3 faults struck in 1 stages: 2 times nothing was lost" in text and "Samples lost: 2." in text
    assert "Longest time from SIGTERM to the end of the last process: 4.9 s" in text and "Of 1 further faults" in text
    assert "| edges | – | – | – | **1 of 2** | – | – | 1 of 1 | – | **2 of 3** |" in text
    assert "| edges | SIGKILL at write 9 | -9 | a / b |  | yes | nothing | 0 | 2 | **no** |" in text
    assert "| edges | worker: I/O error at write 7 | 0 | did not strike |" in text
    assert "| train | 8.0 | 2.0, 4.5 | 143, -15 | 4.9 | yes | nothing |" in text and "| yes | a process |" in text


def test_a_loss_or_too_few_faults_are_complaints():
    enough = [WITHSTOOD] * pages.ENOUGH
    assert reliability.verdict(enough, [IN_TIME], ["edges"]) == []
    silent = [*enough[1:], WITHSTOOD._replace(struck=False)]
    assert reliability.verdict(silent, [], ["edges"]) == [f"edges: only {pages.ENOUGH - 1} faults struck"]
    (lost,) = reliability.verdict([*enough, WITHSTOOD._replace(lost=1)], [], ["edges"])
    assert lost.startswith("edges, SIGKILL at write 3") and "lost=1" in lost
    (late,) = reliability.verdict([], [IN_TIME._replace(stopped=(7.0,))], [])
    assert late.startswith("hpp train")


def test_a_lost_sample_is_exit_code_1(tmp_path, monkeypatch):
    """The script as a whole, with results as a stage's faults would give them."""
    monkeypatch.setattr(reliability, "RESULT", tmp_path / "reliability.json")
    monkeypatch.setattr(reliability, "PAGE", tmp_path / "reliability.md")
    monkeypatch.setattr(sys, "argv", ["reliability.py", "--stages", "edges"])
    for lost, code in ((0, 0), (1, 1)):
        outcomes = [WITHSTOOD] * pages.ENOUGH + [WITHSTOOD._replace(lost=lost)]
        found = [one._asdict() for one in outcomes]
        monkeypatch.setattr(reliability, "judge", lambda stages, workers, keep, found=found: keep("edges", found))
        with pytest.raises(SystemExit) as ended:
            reliability.main()
        assert ended.value.code == code
        assert len(json.loads((tmp_path / "reliability.json").read_text())["edges"]) == pages.ENOUGH + 1
        assert f"Samples lost: {lost}." in (tmp_path / "reliability.md").read_text()


def test_faults_are_spread_over_the_events_and_strike_workers_and_networks_where_there_are_any():
    alone = reliability.faults("w" * 102, exchanged=2)
    assert len(alone) >= pages.ENOUGH and not any(fault.worker for fault in alone)
    assert [fault.at for fault in alone if fault.kind == "kill"] == [31, 100, 70]
    assert {fault.kind for fault in alone} == {"kill", "term", "error", "full", "short"}
    full = {str(fault) for fault in reliability.faults("wWWAAcccccw" * 9)}
    assert len(full) >= pages.ENOUGH
    assert {"worker dies at answer 1", "worker hangs at answer 1", "worker: I/O error at write 1"} <= full
    assert "network raises at call 23" in full


def test_every_stage_of_dvc_and_every_command_is_covered():
    import yaml

    from stages.cli import COMMANDS

    graph = yaml.safe_load((reliability.ROOT / "dvc.yaml").read_text())["stages"]
    judged = {reliability.STAGES[name].words[0].replace("-", "_") for name in reliability.JUDGED}
    assert {name.removeprefix("teacher_") for name in graph} <= judged
    assert set(stopping.WORDS) == set(COMMANDS)
    assert reliability.outputs(reliability.STAGES["edges"], graph) == ["data/edges/lip", "metrics/edges/lip.json"]
    assert reliability.outputs(reliability.STAGES["ingest coco"], graph)[0] == "data/ingest/coco"


def test_wholeness_is_all_of_the_old_or_all_of_the_new_or_file_by_file(tmp_path):
    def files(name: str, **texts: str) -> Path:
        for file, text in texts.items():
            (tmp_path / name / "out").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "out" / f"{file}.jsonl").write_text(text)
        return tmp_path / name

    run = reliability.Undisturbed(
        "edges", files("before", a="1\n", b="2\n"), files("after", a="3\n4\n", b="5\n"), ["out"]
    )
    for texts, folder, by_file in (
        ({"a": "1\n", "b": "2\n"}, True, True),
        ({"a": "3\n4\n", "b": "5\n"}, True, True),
        ({"a": "1\n", "b": "5\n"}, False, True),
        ({"a": "3\n", "b": "5\n"}, False, True),
        ({"a": "4\n", "b": "5\n"}, False, False),
    ):
        found = files("found", **texts)
        assert (run._whole(found, "out", False), run._whole(found, "out", True)) == (folder, by_file)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("error", 2), 1), (Fault("full", 2), 1), (Fault("short", 1), 0), (Fault("kill", 3), -9), (Fault("error", 9), 0),
        (Fault("kill", 1, "answer", True), 1), (Fault("error", 1, "write", True), 1), (Fault("raise", 1, "call"), 0),
    ],
)  # fmt: skip
def test_faults_strike_where_they_are_told_to(tmp_path, monkeypatch, fault, code):
    """A program of two files and a pool in place of a stage."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    monkeypatch.setattr(fault_runs, "command", lambda words, settings: [sys.executable, str(program)])
    ran = fault_runs.run((), tmp_path, (), fault)
    assert (ran.code, ran.struck) == (code, fault.at < 9 and fault.kind != "raise")
    assert not ran.alive and ran.stopped is None
    assert (tmp_path / "a").read_bytes() == b"x" * 99
    assert (tmp_path / "c").is_file() == (fault.worker or code == 0)


PROGRAM = """
import os, sys
from multiprocessing import get_context

def work(number):
    with open(f"w{number}", "wb") as file:
        file.write(b"y" * 9)
    return number

if __name__ == "__main__":
    with open("a", "wb") as file:
        file.write(b"x" * 99)
    with open("b", "wb") as file:
        file.write(b"x" * 99)
    os.replace("b", "c")
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        list(pool.map(work, [1, 2]))
"""


def test_the_page_is_that_of_the_results_and_every_stage_stands_there():
    results = json.loads((reliability.ROOT / "benchmarks/results/reliability.json").read_text())
    outcomes, stopped = reliability.read(results)
    assert (reliability.ROOT / "docs/reliability.md").read_text() == pages.page(outcomes, stopped)
    assert set(results) == {*reliability.JUDGED, reliability.COMMANDS}
    assert reliability.verdict(outcomes, stopped, reliability.JUDGED) == []
