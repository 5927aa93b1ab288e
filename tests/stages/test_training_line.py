"""The line of progress: what it tells, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.context import Context
from stages.training_line import _PlainLines, training_line

LOSSES = {"loss": 2.4114, "loss_parsing_refined": 0.7288, "loss_edge": 0.2884}


def context(**changes) -> Context:
    return Context(
        **{"params_file": Path("p"), "overrides": (), "root": Path(), "bars": False, "quiet": False, **changes}
    )


def test_plain_lines_tell_losses_speed_time_left_and_memory(capsys):
    clock = iter([100.0, *(100.0 + step for step in range(100))])
    lines = _PlainLines(8, lambda: 1_230_000_000, lambda: next(clock))
    for done in range(41, 1001):  # 40 steps were done by an earlier run
        lines.tell(done, 1000, LOSSES)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "train: 41/1000 steps, loss 2.41 (parsing_refined 0.729, edge 0.288), 1.2 GB"
    # 9 steps in a second, 8 samples each; 950 steps left at that speed
    assert (
        told[1]
        == "train: 50/1000 steps, loss 2.41 (parsing_refined 0.729, edge 0.288), 72 samples/s, 2 min left, 1.2 GB"
    )
    assert [line.split()[1] for line in told] == ["41/1000", *(f"{done}/1000" for done in range(50, 1001, 50))]


@pytest.mark.parametrize("seconds, text", [(4.6, "5 s"), (240, "4 min"), (7500, "2 h 05 min")])
def test_time_left_is_told_in_the_unit_that_one_thinks_in(capsys, seconds, text):
    clock = iter([0.0, 0.0, seconds])
    lines = _PlainLines(1, lambda: 0, lambda: next(clock))
    lines.tell(1, 3, LOSSES)
    lines.tell(2, 3, LOSSES)
    assert f"{text} left" in capsys.readouterr().err


def test_a_terminal_has_a_bar_in_samples(capsys):
    with training_line(context(bars=True), 8, lambda: 2_000_000_000) as progress:
        for done in range(5, 11):
            progress(done, 10, LOSSES)
    bar = capsys.readouterr().err.splitlines()[-1].split("\r")[-1]
    assert "80/80" in bar and "samples" in bar and "loss 2.41 (parsing_refined 0.729, edge 0.288); 2.0 GB" in bar


def test_quiet_is_quiet(capsys):
    with training_line(context(quiet=True), 8, lambda: 0) as progress:
        progress(1, 1, LOSSES)
    assert capsys.readouterr().err == ""
