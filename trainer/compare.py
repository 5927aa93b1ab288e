"""Two evaluations side by side, where they were judged alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.errors import DataError, ParamsError

_ANYONES = frozenset({"input_size"})
"""Entries of a protocol block that tell of the model, not of how it was judged."""
_TABLES = ("scores", "iou", "pckh", "pose_ap")


class Row(NamedTuple):
    """One score of both; percent, None where it is undefined or one of them lacks it."""

    table: str
    name: str
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """The second less the first."""
        return None if self.first is None or self.second is None else self.second - self.first


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Row]:
    """Every score that at least one of two evaluations has, as `hpp evaluate` writes them, in the first one's order.

    Raises:
        DataError: one of them has no protocol block.
        ParamsError: they were judged by unlike protocols; the message names what differs.
    """
    for name, judged in (("the first", first), ("the second", second)):
        if not isinstance(judged.get("protocol"), Mapping) or not isinstance(judged.get("scores"), Mapping):
            raise DataError(f"{name} file: no protocol and scores in it, expected a metrics/evaluate.json")
    unlike = differences(first["protocol"], second["protocol"])
    if unlike:
        told = "; ".join(f"{name} is {one!r} and {other!r}" for name, (one, other) in unlike.items())
        raise ParamsError(
            f"the protocols differ, so that the scores say nothing of each other: {told}. Evaluate both alike"
        )
    return list(_rows(first, second))


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two protocol blocks, by name; None for what one of them lacks.

    Equal labels are equal data, however the people in them were found: where both blocks have the labels' hash, that of
    the shards is passed over.
    """
    passed_over = set(_ANYONES)
    if "truth_sha256" in first and "truth_sha256" in second:
        passed_over.add("split_sha256")
    names = sorted((set(first) | set(second)) - passed_over)
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Row]:
    for table in _TABLES:
        one, other = first.get(table, {}), second.get(table, {})
        for name in dict.fromkeys([*one, *other]):
            yield Row(table, name, one.get(name), other.get(name))
