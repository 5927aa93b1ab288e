"""What a teacher is fitted on, told without reading an image: who is in it, its joints, its fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pipeline.records import ImageRecord, People
from pipeline.rows import people_from_rows
from pipeline.shards.read import GROUPS_KEPT, Shards
from pipeline.taxonomy import KeypointSet


def read_people(records: Sequence[ImageRecord]) -> Iterator[People]:
    """The people of every record, in order."""
    if isinstance(records, Shards):
        for row in records.rows(["persons"]):
            yield people_from_rows(row["persons"])
    else:
        yield from (record.people for record in records)


def joints_of(records: Sequence[ImageRecord], default: KeypointSet) -> KeypointSet:
    """The keypoint set of the records' joints as their manifest has it; the default where there is no manifest."""
    return records.manifest.keypoints or default if isinstance(records, Shards) else default


def source_name(records: Sequence[ImageRecord]) -> str:
    """What to call the records in a message: the shards' folder, or just that."""
    return str(records.folder) if isinstance(records, Shards) else "records"


def source_hash(records: Sequence[ImageRecord]) -> str:
    """SHA-256 over the images and their people: of shards from their manifest, else of the records one by one."""
    digest = hashlib.sha256()
    if isinstance(records, Shards):
        for shard in records.manifest.shards:
            digest.update(f"{shard.records} {shard.sha256}\n".encode())
        return digest.hexdigest()
    for record in records:
        people = record.people
        digest.update(record.sample_id.encode())
        digest.update(hashlib.sha256(record.image).digest())
        digest.update(people.boxes.tobytes() + people.crowd.tobytes() + repr(people.rles).encode())
        digest.update(b"" if people.keypoints is None else people.keypoints.tobytes())
    return digest.hexdigest()


def read_block(records: Sequence[ImageRecord]) -> int:
    """Neighbouring records to draw near each other: 1, for any order, where all of them are kept in memory."""
    if not isinstance(records, Shards):
        return 1
    block = int(records.manifest.parameters.get("row_group", 1))
    groups = sum(-(-shard.records // block) for shard in records.manifest.shards)
    return 1 if groups <= GROUPS_KEPT else block
