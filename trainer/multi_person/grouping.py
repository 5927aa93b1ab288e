"""Candidates of joints to people: by the crop that they were seen in, or by the centroid that they point to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainer.multi_person.candidates import Candidates


def group_by_crop(crops: Sequence[Candidates], num_joints: int, radius: float) -> np.ndarray:
    """The people of an image that were looked at crop by crop.

    The best candidates choose first. Each goes to the person of its crop, unless that person has the joint already or
    another person has the same joint within `radius`: two crops that see one body share no joint.

    Args:
        crops: candidates of each person's crop, in pixels of the image that they were cut from.
        num_joints: K.
        radius: in pixels; 0 lets people share places.

    Returns:
        (P, K, 3) float64 x, y, score, nan where the person lacks the joint; one person per crop.
    """
    people = np.full((len(crops), num_joints, 3), np.nan)
    owners = np.repeat(np.arange(len(crops)), [len(found.joint) for found in crops])
    joint = np.concatenate([found.joint for found in crops]) if len(crops) else np.zeros(0, int)
    xy = np.concatenate([found.xy for found in crops]) if len(crops) else np.zeros((0, 2))
    score = np.concatenate([found.score for found in crops]) if len(crops) else np.zeros(0)
    for place in np.argsort(-score, kind="stable"):
        owner, which = owners[place], joint[place]
        same = people[:, which]
        with np.errstate(invalid="ignore"):
            taken = (np.hypot(*(same[:, :2] - xy[place]).T) < radius).any()
        if np.isnan(same[owner, 0]) and not taken:
            people[owner, which] = (*xy[place], score[place])
    return people


def group_by_centroid(found: Candidates, votes: np.ndarray, num_joints: int, radius: float) -> np.ndarray:
    """The people of an image that was looked at as a whole.

    The best candidates choose first. Each joins the person whose joints' mean vote lies nearest to its own vote, if that
    is within `radius` and the person lacks the joint; else it is a new person.

    Args:
        found: candidates.
        votes: (M, 2) where each says that its person's centroid is (`centroid_votes`), in the candidates' units.
        num_joints: K.
        radius: in the same units.

    Returns:
        (P, K, 3) float64 x, y, score, nan where the person lacks the joint, in the order in which they were begun.

    Raises:
        ValueError: there is not one vote per candidate.
    """
    if votes.shape != found.xy.shape:
        raise ValueError(f"votes: shape {votes.shape}, expected the candidates' {found.xy.shape}")
    people: list[np.ndarray] = []
    members: list[list[np.ndarray]] = []
    for place in np.argsort(-found.score, kind="stable"):
        joint, vote = found.joint[place], votes[place]
        distances = [
            np.hypot(*(np.mean(own, axis=0) - vote)) if np.isnan(person[joint, 0]) else np.inf
            for person, own in zip(people, members, strict=True)
        ]
        nearest = int(np.argmin(distances)) if distances else -1
        if not distances or distances[nearest] > radius:
            people.append(np.full((num_joints, 3), np.nan))
            members.append([])
            nearest = -1
        people[nearest][joint] = (*found.xy[place], found.score[place])
        members[nearest].append(vote)
    return np.stack(people) if people else np.zeros((0, num_joints, 3))
