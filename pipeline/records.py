"""The few central types: the people of an image, the record of an image, the sample of a person; their parquet form.

Boxes are (x, y, w, h) in pixels and cover the pixel columns x ... x + w - 1. Keypoints are (x, y, v): a pixel's centre
is at its integer coordinate, v is 0 not annotated, 1 occluded, 2 visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco_mask

from pipeline.images import decode_image, decode_map

Rle = dict[str, Any]
"""A COCO run-length mask: {"size": [H, W], "counts": str}, compressed."""


@dataclass(frozen=True, eq=False)
class People:
    """The people of one image, row by row; N may be 0.

    Attributes:
        ids: (N,) int32, the person's value in the person-id map; unique, from 1.
        boxes: (N, 4) float32, x, y, w, h.
        scores: (N,) float32, 1 for annotated people.
        crowd: (N,) bool, a region of people who are not told apart.
        rles: masks as RLE over the whole image; an entry is None where only the box is known.
        keypoints: (N, K, 3) float32, or None where the data set has none; a row of zeros is a person without any.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    crowd: np.ndarray
    rles: tuple[Rle | None, ...]
    keypoints: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        shapes = {"boxes": (count, 4), "scores": (count,), "crowd": (count,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name}: shape {getattr(self, name).shape}, expected {shape}")
        if len(self.rles) != count:
            raise ValueError(f"rles: {len(self.rles)} masks for {count} people")
        if self.keypoints is not None and (self.keypoints.ndim != 3 or len(self.keypoints) != count):
            raise ValueError(f"keypoints: shape {self.keypoints.shape}, expected ({count}, K, 3)")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls, num_keypoints: int | None = None) -> People:
        """Nobody."""
        return cls.build([], [], num_keypoints=num_keypoints)

    @classmethod
    def build(
        cls,
        ids: Any,
        boxes: Any,
        *,
        scores: Any = None,
        crowd: Any = None,
        rles: Any = None,
        keypoints: Any = None,
        num_keypoints: int | None = None,
    ) -> People:
        """People from lists: scores default to 1, crowd to False, masks to unknown, keypoints to none."""
        count = len(ids)
        if keypoints is None and num_keypoints is not None:
            keypoints = np.zeros((count, num_keypoints, 3), np.float32)
        elif keypoints is not None:
            keypoints = np.asarray(keypoints, np.float32)
        return cls(
            ids=np.asarray(ids, np.int32).reshape(count),
            boxes=np.asarray(boxes, np.float32).reshape(count, 4),
            scores=np.ones(count, np.float32) if scores is None else np.asarray(scores, np.float32).reshape(count),
            crowd=np.zeros(count, bool) if crowd is None else np.asarray(crowd, bool).reshape(count),
            rles=(None,) * count if rles is None else tuple(rles),
            keypoints=keypoints,
        )

    @classmethod
    def from_id_map(cls, people: np.ndarray) -> People:
        """The people of a person-id map (H, W) uint8: tight boxes and masks, ids in rising order."""
        ids = [int(value) for value in np.unique(people) if value != 0]
        rles = [encode_rle(people == value) for value in ids]
        return cls.build(ids, [coco_mask.toBbox(rle) for rle in rles], rles=rles)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool mask of person number `index`.

        Raises:
            ValueError: only the box of this person is known.
        """
        rle = self.rles[index]
        if rle is None:
            raise ValueError(f"index: person {index} has no mask, only a box")
        return decode_rle(rle)


def encode_rle(mask: np.ndarray) -> Rle:
    """Compressed COCO RLE of an (H, W) bool mask."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def check_rle(rle: Mapping[str, Any]) -> None:
    """Refuse a compressed RLE that does not cover its image: pycocotools would read and write beyond its memory.

    Args:
        rle: counts as str or bytes.

    Raises:
        ValueError: the counts are no RLE, or their sum is not the image's area.
    """
    counts = rle["counts"]
    runs: list[int] = []
    value = shift = 0
    # As in COCO's maskApi: five bits a character, the sixth says that more follow, and from the third run on the
    # difference to the run before the last is stored.
    for character in counts if isinstance(counts, bytes) else counts.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"counts: character {chr(character)!r} is not of a run-length mask")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    height, width = rle["size"]
    if shift or min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"counts: runs of {sum(runs)} pixels in all, expected {height * width}")


def decode_rle(rle: Rle) -> np.ndarray:
    """(H, W) bool mask of a compressed COCO RLE."""
    return coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")}).astype(bool)


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image of a data set as its archive has it.

    Attributes:
        sample_id: the image's name in its data set; may hold dots and underscores, nothing splits on it.
        image: the image file's bytes as they came.
        path: where in the archive they lay.
        mask: PNG of (H, W) part ids, or None for unlabelled images.
        people_map: PNG of (H, W) person ids, or None.
        people: annotated people.
    """

    sample_id: str
    dataset: str
    split: str
    image: bytes
    path: str
    width: int
    height: int
    mask: bytes | None
    people_map: bytes | None
    people: People

    def decode_image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return decode_image(self.image, self.path)

    def decode_mask(self) -> np.ndarray | None:
        """(H, W) uint8 part ids, or None."""
        return None if self.mask is None else decode_map(self.mask, f"mask of {self.path}")

    def decode_people(self) -> np.ndarray | None:
        """(H, W) uint8 person ids, or None."""
        return None if self.people_map is None else decode_map(self.people_map, f"person ids of {self.path}")


@dataclass(frozen=True, eq=False)
class Sample:
    """One person, cut out at native resolution, with all labels that the stages before have made.

    Attributes:
        sample_id: unique in its data set.
        source_id: sample_id of the image that it was cut from.
        image: the crop's JPEG or PNG bytes; path: its name in the source.
        mask: PNG of (H, W) part ids; people_map: PNG of person ids; edge: PNG of {0, 1}. None where not known.
        keypoints: (K, 3) float32 in crop pixels, K of the data set's (or the teacher's) keypoint set; None before pose.
        keypoint_origin: per keypoint "annotated", the teacher's id, or "" where there is none.
        keypoint_confidence: (K,) float32.
        box: (4,) float32, the person's box in the source image.
        score: the detector's score, 1 for annotated people.
        to_source: (2, 3) float64, crop pixels -> source pixels.
        to_heatmap_input: (2, 3) float64, crop pixels -> heatmap input pixels; None before heatmaps.
        person: the person's id in the source image.
        provenance: hashes of the inputs and versions of the steps.
    """

    sample_id: str
    source_id: str
    dataset: str
    split: str
    image: bytes
    path: str
    width: int
    height: int
    mask: bytes | None
    people_map: bytes | None
    box: np.ndarray
    score: float
    to_source: np.ndarray
    person: int
    edge: bytes | None = None
    keypoints: np.ndarray | None = None
    keypoint_origin: tuple[str, ...] = ()
    keypoint_confidence: np.ndarray | None = None
    to_heatmap_input: np.ndarray | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def decode_image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return decode_image(self.image, self.path)

    def decode_mask(self) -> np.ndarray | None:
        """(H, W) uint8 part ids, or None."""
        return None if self.mask is None else decode_map(self.mask, f"mask of {self.sample_id}")

    def decode_people(self) -> np.ndarray | None:
        """(H, W) uint8 person ids, or None."""
        return None if self.people_map is None else decode_map(self.people_map, f"person ids of {self.sample_id}")

    def decode_edge(self) -> np.ndarray | None:
        """(H, W) uint8 of {0, 1}, or None."""
        return None if self.edge is None else decode_map(self.edge, f"edges of {self.sample_id}")


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


def image_from_row(row: Mapping[str, Any]) -> ImageRecord:
    """The record of a row of IMAGE_SCHEMA."""
    persons = row["persons"]
    known = [person["keypoints"] is not None for person in persons]
    people = People.build(
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
        people=people,
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
    """The sample of a row of SAMPLE_SCHEMA."""
    box = _array(row["box"], np.float32, (4,))
    to_source = _array(row["to_source"], np.float64, (2, 3))
    if box is None or to_source is None:
        raise ValueError(f"row: sample {row['sample_id']!r} lacks its box or its to_source matrix")
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
