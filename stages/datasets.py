"""`hpp datasets`: the data sets of params.yaml and what is on disk of them."""

from __future__ import annotations

import click

from pipeline.datasets.registry import LAYOUTS
from pipeline.params import Dataset
from stages.context import Context, pass_context

_STAGES = ("raw", "ingest", "crops", "edges", "pose", "heatmaps", "shards")


@click.command()
@pass_context
def datasets(context: Context) -> None:
    """List the data sets, their sources, the published counts, and what is on disk."""
    for name, section in sorted({**context.params.teacher_datasets, **context.params.datasets}.items()):
        click.echo(f"{name}: {_about(section)}")
        click.echo(f"  on disk: {', '.join(s for s in _STAGES if context.paths.stage(s, name).is_dir()) or 'nothing'}")
    unused = sorted(set(LAYOUTS) - {section.layout for section in context.params.datasets.values()})
    if unused:
        click.echo(f"other layouts that can be read: {', '.join(unused)}")


def _about(section: Dataset) -> str:
    layout = LAYOUTS[section.layout]
    if section.source == "sample":
        source = "drawn here, " + ", ".join(f"{count} {split}" for split, count in section.images.items())
    else:
        source = section.source
    counts = ", ".join(f"{count} {split}" for split, count in layout.published.items())
    published = f" (published: {counts})" if counts else ""
    return (
        f"{source}; layout {section.layout}{published}; {section.people} person(s) per image; "
        f"parts {section.label_set}, joints {section.keypoint_set or 'by the pose teacher'}"
    )
