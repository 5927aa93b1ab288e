"""Images against the published numbers."""

from __future__ import annotations

from collections.abc import Mapping


def is_whole(source: str, images: Mapping[str, int], published: Mapping[str, int]) -> bool:
    """Whether a source claims to be the whole published set, so that its numbers have to be the published ones.

    It does when it is `published`, and when one of its splits has exactly the published number of images: nobody comes by
    10,000 of them by accident, so another split that has fewer was cut short on the way. A drawn sample never does.

    Args:
        source: of params.yaml, "published", "sample" or where the set lies.
        images: split -> images that the source lists.
        published: split -> images of the published set; empty where it is not one set.
    """
    if source == "sample":
        return False
    return source == "published" or any(images[split] == published.get(split) for split in images)


def count_differences(images: Mapping[str, int], published: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Split -> (images, published) where the two differ; splits without a published number are left out."""
    return {
        split: (count, published[split])
        for split, count in images.items()
        if split in published and count != published[split]
    }
