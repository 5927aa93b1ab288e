"""Plots as DVC reads them, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvclive import Live

from pipeline.shards.write import folder_aside, remove_leftovers, replace_folder
from stages.context import Context


@contextmanager
def plots(context: Context, name: str) -> Iterator[Live]:
    """Where a stage logs its plots: DVCLive's folder in scratch, published as plots/<name> when the block ends well.

    Of a run under way they are read there: data/scratch/plots/<name>.
    """
    drawn, target = context.paths.scratch / "plots" / name, context.paths.plots(name)
    shutil.rmtree(drawn, ignore_errors=True)
    with Live(str(drawn), dvcyaml=None, save_dvc_exp=False, report=None) as live:
        yield live
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    with folder_aside(target) as aside:
        replace_folder(Path(shutil.copytree(drawn, Path(aside) / name)), target)
    shutil.rmtree(drawn)
