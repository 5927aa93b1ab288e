"""`hpp datasets`: the data sets of params.yaml, the published ones, and what is on disk."""

from __future__ import annotations

import click

from pipeline.datasets.registry import LAYOUTS
from pipeline.params import Dataset
from pipeline.sources.registry import PublishedSet, load_registry
from stages.context import Context, pass_context
from stages.paths import SOURCES

_STAGES = ("raw", "ingest", "crops", "edges", "pose", "heatmaps", "shards")


@click.command()
@pass_context
def datasets(context: Context) -> None:
    """List the data sets, their sources, the published counts and files, and what is on disk."""
    for name, section in sorted({**context.params.teacher_datasets, **context.params.datasets}.items()):
        click.echo(f"{name}: {_about(section)}")
        click.echo(f"  on disk: {', '.join(s for s in _STAGES if context.paths.stage(s, name).is_dir()) or 'nothing'}")
    unused = sorted(set(LAYOUTS) - {section.layout for section in context.params.datasets.values()})
    if unused:
        click.echo(f"other layouts that can be read: {', '.join(unused)}")
    click.echo("\npublished sets (`source: published`):")
    for name, published in load_registry(SOURCES).items():
        _show_published(name, published)


def _about(section: Dataset) -> str:
    layout = LAYOUTS[section.layout]
    if section.source == "sample":
        source = "drawn here, " + ", ".join(f"{count} {split}" for split, count in section.images.items())
    else:
        source = section.source_text
    counts = ", ".join(f"{count} {split}" for split, count in layout.published.items())
    published = f" (published: {counts})" if counts else ""
    return (
        f"{source}; layout {section.layout}{published}; {section.people} person(s) per image; "
        f"parts {section.label_set}, joints {section.keypoint_set or 'by the pose teacher'}"
    )


def _show_published(name: str, published: PublishedSet) -> None:
    click.echo(f"{name}: {published.title}")
    click.echo(f"  page: {published.page}\n  terms: {published.terms}\n  access: {published.access}")
    for file in published.files:
        known = next(
            (f"{kind} known" for kind in ("sha256", "sha1", "md5") if getattr(file, kind)), "no checksum known"
        )
        splits = f" for {', '.join(file.splits)}" if file.splits else ""
        size = f", {file.about}" if file.about else ""
        click.echo(f"  {file.name}{splits}: {file.holds}{size}; {len(file.urls)} address(es), {known}")
