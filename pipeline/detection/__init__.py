"""Finding the people of an image: detectors, the choice among what they find, and matching with annotated people."""

from pipeline.detection.annotated import annotated_people
from pipeline.detection.base import PersonDetector
from pipeline.detection.matching import Matching, PeopleCount, count_people, match_people
from pipeline.detection.selection import select_people

__all__ = [
    "Matching",
    "PeopleCount",
    "PersonDetector",
    "annotated_people",
    "count_people",
    "match_people",
    "select_people",
]
