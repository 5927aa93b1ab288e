"""The `hpp` command."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from pipeline.errors import DataError, ParamsError
from stages.context import Context
from stages.crop import crop
from stages.datasets import datasets
from stages.download import download
from stages.edges import edges
from stages.evaluate import evaluate
from stages.fit_detector import fit_detector
from stages.fit_pose import fit_pose
from stages.heatmaps import heatmaps
from stages.ingest import ingest
from stages.pose import pose
from stages.report import report
from stages.results import results
from stages.sample import sample
from stages.shard import shard
from stages.show import show
from stages.train import train


class UserError(click.ClickException):
    """What the user gave is wrong: one line on stderr, exit code 2."""

    exit_code = 2


class Hpp(click.Group):
    """Turns the user's slips into one line and exit code 2; anything else keeps its traceback and exit code 1."""

    def main(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Run the command line; options that do not fit are told in one line, too."""
        if kwargs.get("standalone_mode") is False:
            return super().main(*args, **kwargs)
        kwargs["standalone_mode"] = False
        try:
            sys.exit(super().main(*args, **kwargs) or 0)
        except click.UsageError as error:
            click.echo(f"Error: {error.format_message()}", err=True)
            sys.exit(2)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Stopped.", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (DataError, ParamsError) as error:
            raise UserError(" ".join(str(error).split())) from error


@click.group(cls=Hpp, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--params", type=click.Path(path_type=Path), default=Path("params.yaml"), show_default=True, help="Parameters."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Override a parameter; repeatable.")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("."),
    show_default=True,
    help="Folder of data/, models/, metrics/.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is done.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
@click.option("--progress/--no-progress", default=None, help="Progress bars; by default on a terminal.")
@click.pass_context
def main(
    ctx: click.Context,
    params: Path,
    overrides: tuple[str, ...],
    root: Path,
    verbose: bool,
    quiet: bool,
    progress: bool | None,
) -> None:
    """From data sets or own photos to human-parsing labels, shards, trained models and comparable numbers."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")
    bars = sys.stderr.isatty() if progress is None else progress
    ctx.obj = Context(params, overrides, root, bars, quiet)


for command in (
    datasets, download, ingest, fit_detector, fit_pose, crop, edges, pose, heatmaps, shard, train, evaluate, report, results,
    sample, show,
):  # fmt: skip
    main.add_command(command)
