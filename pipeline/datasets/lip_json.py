"""LIP's joints as JSON, in the two forms that go about under one name: MuLA's (`joints`) and CorrPM's (`joint_self`).

Neither tells hidden joints from visible ones; a joint at 0, 0 is not annotated.
"""

from __future__ import annotations

import json
import math
from typing import Any

from pipeline.errors import DataError

NUM_JOINTS = 16
_FARTHEST = 1e6
"""Pixels beyond which a coordinate is none; nan is that of a missing joint."""
_KEYS = ("joints", "joint_self")


def parse_pose_json(text: str, name: str) -> dict[str, tuple[float, ...]]:
    """Items of `{"root": [...]}`, or of a bare list -> stem -> flat x, y, v with v 2, or 0 0 0 where there is no joint.

    Raises:
        DataError: it is no such JSON, an item lacks its name or its joints, or an image stands there twice.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: no readable JSON ({error}). Get the file again") from error
    items = content.get("root") if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise DataError(
            f"{name}: holds {type(content).__name__} without a list `root`, expected MuLA's or CorrPM's items"
        )
    rows: dict[str, tuple[float, ...]] = {}
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("im_name"), str):
            raise DataError(f"{name}, item {number}: has no im_name. Get the file again")
        stem = item["im_name"].removesuffix(".jpg")
        if stem in rows:
            raise DataError(f"{name}, item {number}: {stem!r} stands there twice. Remove one of the items")
        rows[stem] = _joints(item, f"{name}, item {number} ({stem})")
    return rows


def _joints(item: dict[str, Any], where: str) -> tuple[float, ...]:
    found = next((item[key] for key in _KEYS if key in item), None)
    if found is None:
        raise DataError(f"{where}: has neither `joints` nor `joint_self`. Get the file again")
    if not isinstance(found, list) or len(found) != NUM_JOINTS or not all(map(_is_point, found)):
        raise DataError(f"{where}: expected {NUM_JOINTS} joints of x, y. Get the file again")
    flat: list[float] = []
    for x, y, *_ in found:
        known = (x, y) != (0, 0) and not math.isnan(x) and not math.isnan(y)
        flat += (float(x), float(y), 2.0) if known else (0.0, 0.0, 0.0)
    return tuple(flat)


def _is_point(joint: Any) -> bool:
    return (
        isinstance(joint, list)
        and len(joint) >= 2
        and all(isinstance(value, int | float) and not abs(value) > _FARTHEST for value in joint[:2])
    )
