"""`hpp verify`: shards, manifests and checkpoints against their hashes."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pipeline.errors import DataError
from pipeline.shards.verify import damages, split_folders
from stages.context import Context, pass_context


@click.command()
@click.argument("place", metavar="PATH", type=click.Path(path_type=Path))
@pass_context
def verify(context: Context, place: Path) -> None:
    """Check what lies at PATH, a folder or a file: shards against their manifests, model and teacher files as wholes.

    Shards are compared with the SHA-256 of their manifest, PyTorch files with the checksums that they carry; safetensors carry none,
    and are only looked at for being complete. Tells every damaged file on stderr and exits with 2 where there is one.
    """
    if not place.exists():
        raise DataError(f"{place}: no such file or folder. Give data/shards, models, or a file of them")
    folders = [place.parent] if place.name == "manifest.json" else split_folders(place) if place.is_dir() else []
    files = [file for file in ([place] if place.is_file() else sorted(place.rglob("*"))) if file.suffix in _READERS]
    if not folders and not files:
        raise DataError(
            f"{place}: holds no manifest.json, no .pt and no .safetensors. Give data/shards, models, or a file of them"
        )
    found = 0
    with context.progress("verify", len(folders) + len(files), "folders and files") as progress:
        for checked in (*(damages(folder) for folder in folders), *(_damage(file) for file in files)):
            for line in checked:
                found += 1
                click.echo(line, err=True)
            progress(1)
    what = f"{len(folders)} folders of shards, {len(files)} checkpoints"
    if found:
        raise DataError(f"{place}: {found} of its files are damaged ({what} looked at); they are named above")
    context.say(f"verify {place}: {what}: all whole")


def _damage(file: Path) -> Iterator[str]:
    """What is wrong with a checkpoint, every byte of which is read."""
    try:
        _READERS[file.suffix](file)
    except DataError as error:
        yield str(error)


def _read_checkpoint(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (OSError, ValueError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{file}: no whole PyTorch file ({error}). Get or make it again") from error
    if damaged is not None:
        raise DataError(
            f"{file}: its record {damaged} has another checksum than it was saved with. Get or make it again"
        )


def _read_teacher(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (no mapping)
                tensors.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{file}: no whole safetensors file ({error}). Fit or download the teacher again") from error


_READERS: dict[str, Callable[[Path], None]] = {".pt": _read_checkpoint, ".safetensors": _read_teacher}
