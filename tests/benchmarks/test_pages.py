"""docs/performance.md and docs/scale.md: every figure comes from the results, missed targets are marked, sums by hand."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.loading import load_script

measuring = load_script("measuring")
performance_page, capacity = load_script("performance_page"), load_script("capacity")
MACHINE = {"processor": "Toy 3000", "cores": 2, "load": 0.5}


def line(what: str, figure: float, target: float | None = None, at_most: bool = False, unit: str = "times") -> dict:
    return {"what": what, "figure": figure, "unit": unit, "target": target, "at_most": at_most, "note": ""}


def test_a_target_is_missed_on_the_wrong_side_only() -> None:
    assert measuring.Line("x", 4.9, target=5).missed and not measuring.Line("x", 5, target=5).missed
    assert measuring.Line("x", 1.6, target=1.5, at_most=True).missed
    assert not measuring.Line("x", 1.5, target=1.5, at_most=True).missed and not measuring.Line("x", 0).missed


def test_the_page_counts_and_marks_missed_targets(tmp_path: Path) -> None:
    lines = [line("fast", 7.25, 5), line("slow", 1.66, 1.5, at_most=True), line("bare", 1234.5, unit="MB")]
    (tmp_path / "labels.json").write_text(json.dumps({"machine": MACHINE, "lines": lines, "details": {}}))
    (tmp_path / "loader.json").write_text(
        json.dumps({"machine": "x86_64", "cores": 2, "figures": {"project, share of the floor": 0.7}})
    )
    (tmp_path / "parity.json").write_text("{}")
    text = performance_page.page(performance_page.read_results(tmp_path))
    assert "1 of 3 targets are reached, 2 missed" in text and "No GPU was at hand" in text
    assert "| fast | 7.25× | ≥ 5× |  |" in text and "| slow | 1.66× | ≤ 1.5× | **missed** |" in text
    assert "| bare | 1,234 MB |  |  |" in text and "| project, share of the floor | 0.7" in text
    assert "processor Toy 3000, cores 2, load 0.5" in text and "parity" not in text


def test_the_capacity_plan_is_the_arithmetic_of_the_results() -> None:
    def run(people: int, seconds: float) -> dict:
        stages = {name: {"core_seconds": seconds} for name in capacity.STAGES}
        folders = ("ingest", "crops", "edges", "pose", "heatmaps", "shards")
        return {
            "people": people,
            "pixels": 33_080,
            "stages": stages,
            "bytes": {name: 100 * people for name in (*folders, "raw")},
        }

    # A person costs 1 ms in each of six stages, and has half the pixels of a real one: 12 ms.
    memory = {"machine": MACHINE, "details": {"lip": [run(1000, 3.0), run(11_000, 13.0)]}}
    figures = {
        "crop": {"further images per second and core": 10.0},
        "pose": {"further people per second and core": 50.0},
    }
    stages = {"lines": [line("edges and heatmaps: two workers as fast as one", 1.8)]}
    text = capacity.page(memory, {"details": {"figures": figures}}, stages)
    assert "| edges | 13.0 | 3.0 | 1.00 | 100 |" in text and "6.00 ms × 2.0 = 12.00 ms" in text
    hours = 40_462 * 0.012 / 3600
    assert f"| LIP | 40,462 | 40,462 | {hours:.2f} | 0.00 | 0.00 |" in text
    # ATR's joints: 17,700 people at 20 ms.
    assert f"| ATR | 17,700 | 17,700 | {17_700 * 0.012 / 3600:.2f} | 0.00 | {17_700 * 0.02 / 3600:.2f} |" in text
    assert "| 10,000,000 × 100 × 2.0 bytes | 0.00 TB |" in text and "| 10,000,000 × 12.00 ms | 33 hours |" in text
