"""The parquet form of the central types: schemas, and records to and from rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import DataError
from pipeline.records import ImageRecord, People, Sample

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_KEYPOINTS = pa.list_(pa.list_(pa.float32(), 3))
_AFFINE = pa.list_(pa.list_(pa.float64(), 3), 2)
_BOX = pa.list_(pa.float32(), 4)
_PERSON = pa.struct(
    [
        ("id", pa.int32()),
        ("box", _BOX),
        ("score", pa.float32()),
        ("crowd", pa.bool_()),
        ("rle_size", pa.list_(pa.int32(), 2)),
        ("rle_counts", pa.string()),
        ("keypoints", _KEYPOINTS),
    ]
)

IMAGE_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("dataset", pa.string()),
        ("split", pa.string()),
        ("image", _IMAGE),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mask", pa.binary()),
        ("people", pa.binary()),
        ("persons", pa.list_(_PERSON)),
    ]
)

SAMPLE_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("source_id", pa.string()),
        ("dataset", pa.string()),
        ("split", pa.string()),
        ("image", _IMAGE),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mask", pa.binary()),
        ("people", pa.binary()),
        ("edge", pa.binary()),
        ("keypoints", _KEYPOINTS),
        ("keypoint_origin", pa.list_(pa.string())),
        ("keypoint_confidence", pa.list_(pa.float32())),
        ("box", _BOX),
        ("score", pa.float32()),
        ("to_source", _AFFINE),
        ("to_heatmap_input", _AFFINE),
        ("person", pa.int32()),
        ("provenance", pa.string()),
    ]
)

EDGE_SCHEMA = pa.schema([("sample_id", pa.string()), ("edge", pa.binary())])

POSE_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("keypoints", _KEYPOINTS),
        ("keypoint_origin", pa.list_(pa.string())),
        ("keypoint_confidence", pa.list_(pa.float32())),
    ]
)


def _listed(array: np.ndarray | None) -> Any:
    return None if array is None else np.asarray(array).tolist()


def _array(values: Any, dtype: type, shape: tuple[int, ...]) -> np.ndarray | None:
    return None if values is None else np.asarray(values, dtype).reshape(shape)


def image_row(record: ImageRecord) -> dict[str, Any]:
    """The record as a row of IMAGE_SCHEMA."""
    people = record.people
    persons = [
        {
            "id": int(people.ids[i]),
            "box": people.boxes[i].tolist(),
            "score": float(people.scores[i]),
            "crowd": bool(people.crowd[i]),
            "rle_size": None if (rle := people.rles[i]) is None else rle["size"],
            "rle_counts": None if rle is None else rle["counts"],
            "keypoints": None if people.keypoints is None else people.keypoints[i].tolist(),
        }
        for i in range(len(people))
    ]
    return {
        "sample_id": record.sample_id,
        "dataset": record.dataset,
        "split": record.split,
        "image": {"bytes": record.image, "path": record.path},
        "width": record.width,
        "height": record.height,
        "mask": record.mask,
        "people": record.people_map,
        "persons": persons,
    }


def people_from_rows(persons: Sequence[Mapping[str, Any]]) -> People:
    """The people of a row's `persons`."""
    known = [person["keypoints"] is not None for person in persons]
    return People.build(
        [person["id"] for person in persons],
        [person["box"] for person in persons],
        scores=[person["score"] for person in persons],
        crowd=[person["crowd"] for person in persons],
        rles=[
            None if person["rle_counts"] is None else {"size": person["rle_size"], "counts": person["rle_counts"]}
            for person in persons
        ],
        keypoints=[person["keypoints"] for person in persons] if persons and all(known) else None,
    )


@contextmanager
def _told(row: Mapping[str, Any]) -> Iterator[None]:
    """A row that lacks a column, or has another kind of value in one, is the user's to mend."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"row of sample {row.get('sample_id')!r}: no whole record ({error!r}). Run the stage that makes its shard again"
        ) from error


def image_from_row(row: Mapping[str, Any]) -> ImageRecord:
    """The record of a row of IMAGE_SCHEMA.

    Raises:
        DataError: a column is missing or of another kind.
    """
    with _told(row):
        return _image(row)


def _image(row: Mapping[str, Any]) -> ImageRecord:
    return ImageRecord(
        sample_id=row["sample_id"],
        dataset=row["dataset"],
        split=row["split"],
        image=row["image"]["bytes"],
        path=row["image"]["path"],
        width=row["width"],
        height=row["height"],
        mask=row["mask"],
        people_map=row["people"],
        people=people_from_rows(row["persons"]),
    )


def sample_row(sample: Sample) -> dict[str, Any]:
    """The sample as a row of SAMPLE_SCHEMA."""
    return {
        "sample_id": sample.sample_id,
        "source_id": sample.source_id,
        "dataset": sample.dataset,
        "split": sample.split,
        "image": {"bytes": sample.image, "path": sample.path},
        "width": sample.width,
        "height": sample.height,
        "mask": sample.mask,
        "people": sample.people_map,
        "edge": sample.edge,
        "keypoints": _listed(sample.keypoints),
        "keypoint_origin": list(sample.keypoint_origin),
        "keypoint_confidence": _listed(sample.keypoint_confidence),
        "box": sample.box.tolist(),
        "score": sample.score,
        "to_source": _listed(sample.to_source),
        "to_heatmap_input": _listed(sample.to_heatmap_input),
        "person": sample.person,
        "provenance": "\n".join(f"{key}={value}" for key, value in sorted(sample.provenance.items())),
    }


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """The sample of a row of SAMPLE_SCHEMA.

    Raises:
        DataError: a column is missing or of another kind.
    """
    with _told(row):
        return _sample(row)


def _sample(row: Mapping[str, Any]) -> Sample:
    box = _array(row["box"], np.float32, (4,))
    to_source = _array(row["to_source"], np.float64, (2, 3))
    if box is None or to_source is None:
        raise ValueError("it lacks its box or its to_source matrix")
    return Sample(
        sample_id=row["sample_id"],
        source_id=row["source_id"],
        dataset=row["dataset"],
        split=row["split"],
        image=row["image"]["bytes"],
        path=row["image"]["path"],
        width=row["width"],
        height=row["height"],
        mask=row["mask"],
        people_map=row["people"],
        edge=row["edge"],
        keypoints=_array(row["keypoints"], np.float32, (-1, 3)),
        keypoint_origin=tuple(row["keypoint_origin"] or ()),
        keypoint_confidence=_array(row["keypoint_confidence"], np.float32, (-1,)),
        box=box,
        score=row["score"],
        to_source=to_source,
        to_heatmap_input=_array(row["to_heatmap_input"], np.float64, (2, 3)),
        person=row["person"],
        provenance=dict(line.split("=", 1) for line in (row["provenance"] or "").splitlines()),
    )
