"""People as the data set has them: no network, scores 1."""

from __future__ import annotations

from pipeline.records import ImageRecord, People


def annotated_people(record: ImageRecord) -> People:
    """The people of a record that are told apart: from its person-id map if it has one, else as annotated.

    Crowd regions are left out, since no single person can be cut from them; so are people of whom no pixel is known.
    """
    id_map = record.decode_people()
    if id_map is not None:
        return People.from_id_map(id_map)
    people = record.people
    rows = [row for row in range(len(people)) if people.rles[row] is not None and not people.crowd[row]]
    return People.build(
        people.ids[rows],
        people.boxes[rows],
        scores=people.scores[rows],
        rles=[people.rles[row] for row in rows],
        keypoints=None if people.keypoints is None else people.keypoints[rows],
    )
