"""The table of ablations: finished runs are kept, means by hand, no page before all runs are made."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.benchmarks.loading import load_script
from tests.trainer.builders import make_params, write_toy_set
from trainer.models import model_names

ablations = load_script("ablations")
Run = ablations.Run


def test_a_finished_run_is_not_repeated_and_another_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, scratch = write_toy_set(tmp_path / "shards", train=4, val=2), tmp_path / "scratch"
    params = make_params(model="corrpm-p", epochs=1)
    first = ablations.run_once(params, shards, scratch)
    assert 0 <= first.mean_iou <= 100 and first.pckh is None and first.seconds > 0
    assert not list(scratch.glob("*.pt")) and not list(scratch.glob("unfinished/*"))
    monkeypatch.setattr(ablations, "train", lambda *_: pytest.fail("a finished run is repeated"))
    assert ablations.run_once(params, shards, scratch) == first
    monkeypatch.setattr(
        ablations,
        "train",
        lambda _, shards, out, unfinished: out.touch() or {"val_mean_iou": 7.0, "val_pckh_mean": 8.0},
    )
    assert ablations.run_once(params.model_copy(update={"seed": 9}), shards, scratch)[:2] == (7.0, 8.0)
    other = write_toy_set(tmp_path / "other", train=5, val=2)
    assert ablations.run_once(params, other, scratch)[:2] == (7.0, 8.0)


def test_mean_and_deviation_by_hand() -> None:
    assert ablations.spread([1.0, 2.0, 6.0]) == "3.00 ± 2.65"  # variance (4 + 1 + 9) / 2 = 7
    assert ablations.spread([4.0]) == "4.00"


def some_runs() -> dict:
    rows = [row for family in ablations.FAMILIES for row in family.rows]
    return {
        (row, seed): Run(30.0 - place + seed, None if place else 50.0, 100.0 + seed)
        for place, row in enumerate(rows)
        for seed in (1, 2, 3)
    }


def test_tables_and_orders_say_what_was_found() -> None:
    family, runs = ablations.FAMILIES[0], some_runs()
    lines = ablations.table(family, runs).splitlines()
    assert lines[2] == "| P | `corrpm-p` | 32.00 ± 1.00 | 50.0 ± 0.0 | 3 | 103 | 48.67 | – |"
    assert lines[3] == "| P+B | `corrpm-p+b` | 31.00 ± 1.00 | – | 3 | 103 | 51.27 | – |"
    here, published = ablations.orders(family, runs).splitlines()
    assert here == "- Here: CorrPM < PK < PB < P+B+K < P+K < P+B < P"
    assert published == "- Published: P < P+K < P+B < P+B+K < PB < PK < CorrPM"
    assert len(ablations.table(family, {("PB", 1): Run(1.0, None, 2.0)}).splitlines()) == 3
    assert statistics.mean(run.mean_iou for (row, _), run in runs.items() if row == "P") == 32


def test_the_rows_are_models_and_the_page_calls_published_scores_published() -> None:
    rows = {row: values[0] for family in ablations.FAMILIES for row, values in family.rows.items()}
    assert set(rows.values()) <= set(model_names()) and len(rows) == 10
    text = ablations.page(some_runs(), "settings")
    assert "**The columns of published scores are the papers'**" in text and all(f"| {row} |" in text for row in rows)


@pytest.mark.parametrize("whole", [False, True])
def test_the_page_is_written_once_all_runs_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    asked = []
    monkeypatch.setattr(ablations, "load_params", lambda file, overrides=(): asked.append(overrides) or make_params())
    monkeypatch.setattr(ablations, "run_once", lambda *_: Run(20.0, 40.0, 1.0))
    monkeypatch.setattr("sys.argv", ["ablations.py", *([] if whole else ["--rows", "P", "CorrPM", "--seeds", "2"])])
    ablations.main()
    assert (
        (tmp_path / "docs/ablations.md").exists() == (tmp_path / "benchmarks/results/ablations.json").exists() == whole
    )
    if not whole:
        assert [
            set(one) >= {"seed=2", f"train.model={model}"}
            for one, model in zip(asked, ("corrpm-p", "corrpm"), strict=True)
        ]
