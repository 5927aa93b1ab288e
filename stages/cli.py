"""The `hpp` command."""

from __future__ import annotations

import errno
import importlib
import logging
import shutil
import sys
from pathlib import Path

import click
from scmrepo.exceptions import SCMError

from pipeline.errors import DataError, ParamsError, WorkerDied
from stages.context import Context
from stages.termination import terminable

COMMANDS = {
    "init-dataset": "Look at own photos and write their entry into params.yaml.",
    "preset": "List the ready parameter files, or write one into params.yaml.",
    "datasets": "List the data sets, their sources, and what is on disk.",
    "download": "Bring a data set's archives into data/raw and verify them.",
    "check": "Look through a data set's archives for damage, contradictions and duplicates; writes no labels.",
    "ingest": "Read the archives into records: image, part mask, person ids, joints.",
    "fit-detector": "Publish the person detector in force to models/.",
    "fit-pose": "Publish the pose estimator in force to models/.",
    "crop": "Cut the people out of their images.",
    "edges": "Derive edge maps from the part masks.",
    "pose": "Label the joints of the people.",
    "heatmaps": "Draw Gaussian heatmaps of the joints.",
    "shard": "Join everything into train/val/test shards.",
    "train": "Train the parser.",
    "evaluate": "Judge the parser.",
    "compare": "Set two evaluations side by side; refuses unlike protocols.",
    "report": "Write the page to look at.",
    "label": "Label bare photos by machine, as shards to learn from or to correct.",
    "predict": "Parse the people of own photos: parts, person ids, joints, pictures, COCO JSON.",
    "results": "Print the last evaluation as a table.",
    "convert-weights": "Turn a checkpoint of the papers' authors into a model file.",
    "sample": "Draw a sample set in a data set's own layout.",
    "show": "Draw a contact sheet of a data set's labels.",
    "export-model": "Write a trained parser as an ONNX file for other runtimes.",
    "export": "Write a data set's labels in the layout that another tool expects.",
    "verify": "Check shards, manifests and checkpoints against their hashes.",
}
"""Command -> what `hpp --help` says of it. Each lives in stages/<name>.py, which is imported when it is called."""


_MACHINE = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space, or raise the quota",
    errno.EIO: "Look after the disk",
    errno.EROFS: "Make the file system writable",
    errno.EACCES: "Get the right to it",
    errno.EPERM: "Get the right to it",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}
"""What the machine refuses, and what to do: told in one line, exit code 1, as the user's input is right."""


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
            with terminable():
                sys.exit(super().main(*args, **kwargs) or 0)
        except click.UsageError as error:
            click.echo(f"Error: {' '.join(error.format_message().split())}", err=True)
            sys.exit(2)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Stopped.", err=True)
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the pipeline."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name; only now is its module imported, so that `hpp edges` does not wait for torch."""
        if name not in COMMANDS:
            return None
        function = name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"stages.{function}"), function)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (DataError, ParamsError) as error:
            raise UserError(" ".join(str(error).split())) from error
        except WorkerDied as error:
            raise click.ClickException(str(error)) from error
        except shutil.Error as error:  # an OSError that gathers those of a folder's files
            place, _, why = error.args[0][0] if isinstance(error.args[0], list) else ("a folder", None, error.args[0])
            raise click.ClickException(
                f"{place}: cannot be copied ({why}). Look after the disk; then run the command again"
            ) from error
        except OSError as error:
            if error.errno not in _MACHINE:
                raise
            place = error.filename or "a file"
            raise click.ClickException(
                f"{place}: {error.strerror}. {_MACHINE[error.errno]}; then run the command again"
            ) from error
        except SCMError as error:
            raise UserError(
                f"git: {error}. The curves' log needs a git repository with a commit; make one first"
            ) from error


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
