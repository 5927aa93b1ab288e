"""`hpp init-dataset`: look at own photos and write their entry into params.yaml."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline.datasets.infer import Inferred, infer_dataset, source_of
from pipeline.datasets.infer.entry import dataset_entry, keypoint_set_text, label_set_text, with_entry
from pipeline.errors import ParamsError
from pipeline.shards.write import replace_file
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from stages.context import Context, pass_context

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@click.command("init-dataset")
@click.argument("place", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the data set; by default the folder's.")
@pass_context
def init_dataset(context: Context, place: Path, name: str | None) -> None:
    """Look at DIR (images/ and masks/, labelme files, COCO JSON, an archive of them, or one COCO JSON file), infer its classes, colours,
    people, joints and splits, and write its entry into params.yaml."""
    source = source_of(place)
    name = _checked(name) if name else _name_of(source)
    label_file, joint_file = (context.paths.label_sets / f"{name}{kind}.yaml" for kind in ("", "-joints"))
    with context.counted_progress(f"init-dataset {name}", "files") as progress:
        inferred = infer_dataset(place, name, context.params.seed, progress)
    files = _files(inferred, label_file, joint_file)
    for file, text in files.items():
        if file.exists() and file.read_bytes() != text.encode():  # a run that was stopped has left the same
            raise ParamsError(f"{file}: is there already. Take it away, or give another --name")
    parts = label_file.as_posix() if label_file in files else inferred.parts.name
    joints = None if inferred.joints is None else inferred.joints.name
    if joint_file in files:
        joints = joint_file.as_posix()
    entry = dataset_entry(inferred, _as_written(source), parts, joints)
    params = with_entry(context.params_file.read_bytes().decode(), name, entry, str(context.params_file))
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text.encode())
    replace_file(context.params_file, params.encode())
    _tell(context, name, inferred, [f"datasets.{name} in {context.params_file}", *map(str, files)])


def _checked(name: str) -> str:
    """The name, which becomes the name of stages, folders and files.

    Raises:
        ParamsError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ParamsError(f"--name: {name!r}, expected letters, digits, - and _, beginning with a letter or a digit")
    if name in LABEL_SETS:
        raise ParamsError(f"--name: {name!r} is the name of a built-in label set. Choose another one")
    return name


def _name_of(source: Path) -> str:
    found = "-".join(_NAME.findall(source.resolve().name.split(".")[0]))
    if not found or found in LABEL_SETS:
        raise ParamsError(f"{source}: its name makes no name for a data set. Give one with --name")
    return found


def _files(inferred: Inferred, label_file: Path, joint_file: Path) -> dict[Path, str]:
    """File -> text, of the sets that are not built in."""
    files = {}
    if inferred.own_parts:
        files[label_file] = label_set_text(inferred)
    if inferred.joints is not None and KEYPOINT_SETS.get(inferred.joints.name) is not inferred.joints:
        files[joint_file] = keypoint_set_text(inferred.joints)
    return files


def _as_written(source: Path) -> str:
    """The path from the project's folder for what lies in it, else the whole path."""
    whole, here = source.resolve(), Path.cwd()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def _tell(context: Context, name: str, inferred: Inferred, written: list[str]) -> None:
    for kind, lines in (("found", inferred.found), ("guessed", inferred.guessed), ("wrote", written)):
        for line in lines:
            context.say(f"{kind}: {line}")
    if inferred.told_apart and inferred.people == "many":
        context.say(
            "hint: detector.backend: annotated cuts people out as your ids tell them; else a detector looks for them"
        )
    context.say(f"next: dvc repro shard@{name}")
