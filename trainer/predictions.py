"""What evaluation keeps of every crop: a few parquet shards in the order of the samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from lightning_fabric import Fabric

from pipeline.shards.read import iter_rows
from pipeline.shards.write import folder_aside, parquet_bytes, remove_leftovers, replace_folder, write_whole

PREDICTION_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("mask", pa.binary()),
        ("pixel_accuracy", pa.float64()),
        ("mean_iou", pa.float64()),
    ]
)


def write_predictions(
    fabric: Fabric, rows: Iterator[dict[str, Any]], out: Path, per_shard: int, row_group: int
) -> None:
    """Write all processes' rows as the folder `out`, whole or not at all.

    Args:
        fabric: of the processes; their rows come in the order of their ranks. They share the file system.
        rows: of PREDICTION_SCHEMA, this process's own.
        out: replaced.
        per_shard: rows of a shard.
        row_group: rows that are read at once.
    """
    if fabric.is_global_zero:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
    fabric.barrier()  # the folder that the first process has made is where the others make theirs
    with folder_aside(out) as aside:
        own, common = Path(aside) / out.name, Path(fabric.broadcast(aside))
        _write_shards(rows, own if fabric.world_size == 1 else common / f"{fabric.global_rank}", per_shard, row_group)
        fabric.barrier()
        if fabric.is_global_zero:
            if fabric.world_size > 1:
                parts = (sorted((common / f"{rank}").iterdir()) for rank in range(fabric.world_size))
                every = chain.from_iterable(iter_rows(file) for file in chain.from_iterable(parts))
                _write_shards(every, own, per_shard, row_group)
            replace_folder(own, out)
        fabric.barrier()


def _write_shards(rows: Iterator[dict[str, Any]], folder: Path, per_shard: int, row_group: int) -> None:
    folder.mkdir()
    number = 0
    while shard := list(islice(rows, per_shard)):
        write_whole(folder / f"part-{number:05d}.parquet", parquet_bytes(shard, PREDICTION_SCHEMA, row_group))
        number += 1
