"""The report's folder: one page and the few pictures that it shows."""

from __future__ import annotations

from pathlib import Path
from string import Template

from pipeline.shards.write import folder_aside, remove_leftovers, replace_folder, write_whole
from trainer.report.curves import curves_section
from trainer.report.gallery import script_data, write_gallery
from trainer.report.html import escape, join
from trainer.report.inputs import ReportInputs
from trainer.report.labels import labels_section
from trainer.report.result import headline, result_section
from trainer.report.run import run_section

_HERE = Path(__file__).resolve().parent
_STYLES = ("page.css", "gallery.css")
_SCRIPTS = ("tiles.js", "gallery.js", "detail.js")
"""In this order they stand in the page: a file's functions may be used by those after it."""


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
    remove_leftovers(out)
    with folder_aside(out) as aside:
        folder = Path(aside) / out.name
        folder.mkdir()
        write_whole(folder / "index.html", _page(inputs, folder).encode("utf-8"))
        replace_folder(folder, out)


def _page(inputs: ReportInputs, folder: Path) -> str:
    # What is quickly told comes first, so that a missing input is refused before the pictures are drawn.
    before = [run_section(inputs), result_section(inputs)]
    after = [labels_section(inputs), curves_section(inputs)]
    train = inputs.params.train
    return Template(_asset("page.html")).substitute(
        title=escape(f"{train.model} on {', '.join(train.datasets)}"),
        style="".join(map(_asset, _STYLES)),
        script="".join(map(_asset, _SCRIPTS)),
        headline=headline(inputs),
        before=join(before),
        after=join(after),
        data=script_data(write_gallery(inputs, folder)),
    )


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
