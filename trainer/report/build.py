"""The report's folder: one page and the few pictures that it shows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from string import Template

from pipeline.shards.write import replace_folder, write_whole
from trainer.report.curves import curves_section
from trainer.report.gallery import gallery_section
from trainer.report.html import escape, join
from trainer.report.inputs import ReportInputs, read_input
from trainer.report.labels import labels_section
from trainer.report.result import CONFUSION, headline, result_section
from trainer.report.run import run_section
from trainer.report.worst import worst_section

_HERE = Path(__file__).resolve().parent


def build_report(inputs: ReportInputs, out: Path) -> None:
    """Write the report: index.html, which opens without a server or a network, and its pictures.

    Equal inputs give equal bytes: no dates, no paths of this machine.

    Args:
        inputs: what the stages before have written.
        out: the folder, replaced as a whole.

    Raises:
        DataError: an input is missing, damaged, or does not belong to the others; the message says what makes it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as aside:
        folder = Path(aside) / out.name
        folder.mkdir()
        write_whole(folder / "index.html", _page(inputs, folder).encode("utf-8"))
        replace_folder(folder, out)


def _page(inputs: ReportInputs, folder: Path) -> str:
    picture = inputs.evaluate_plots / "plots" / "images" / CONFUSION
    write_whole(folder / CONFUSION, read_input(picture, "hpp evaluate"))
    told = [make(inputs) for make in (run_section, result_section, curves_section, labels_section)]
    # Before the gallery, which takes long to draw: predictions that do not belong to the shards are refused at once.
    worst = worst_section(inputs, folder)
    gallery = gallery_section(inputs, folder)
    train = inputs.params.train
    return Template(_asset("page.html")).substitute(
        title=escape(f"{train.model} on {', '.join(train.datasets)}"),
        style=_asset("page.css"),
        script=_asset("page.js"),
        headline=headline(inputs),
        sections=join([*told, gallery, worst]),
    )


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
