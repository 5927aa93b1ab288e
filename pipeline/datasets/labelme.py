"""labelme: beside each photo a JSON of outlines.

<name>.json holds `shapes` (label, points, shape_type, group_id) and `imagePath`, the photo relative to the JSON. A JSON whose photo
is not there may carry its bytes itself (`imageData`). Shapes are painted in their order: where two overlap, the later one lies on
top, as in labelme's own exports. `group_id`, where it is given, is the person's id. Labels are the classes of the label set,
`person` (a whole person's outline), `_background_` and `__ignore__`. Points and lines are no areas: they are counted, not read.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from pipeline.datasets.coco import read_table
from pipeline.datasets.items import Annotation, ids_of_paths
from pipeline.datasets.labelme_shapes import AREAS, labels_of_shapes
from pipeline.datasets.labels import Labels
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import IMAGE_ENDINGS, read_names, split_lists
from pipeline.datasets.splits import SPLITS, drawn_splits
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member
from pipeline.sources.containers import told_name
from pipeline.taxonomy import LabelSet

_LIST = ".txt"
_HINT = "Set `source` to a folder that holds photos and, beside each, labelme's JSON"


@dataclass(frozen=True)
class Photo:
    """A labelme file, its content, and its photo; None where the file carries the photo's bytes itself."""

    file: Member
    content: dict[str, Any]
    image: Member | None


def labelme_items(archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's photos in the order of its list, or of the archive where the split is drawn.

    Raises:
        DataError: there is no labelme file, one cannot be read or lacks its photo, or a list names a photo without one.
    """
    photos = labelme_photos(archives)
    listed = split_lists(archives, options.splits, _LIST)
    if listed:
        ids = read_names(archives, listed[split])
    else:
        ids = drawn_splits(list(photos), options.splits, options.seed)[split]
    items = []
    for sample_id in ids:
        if sample_id not in photos:
            raise DataError(
                f"{listed[split].name}: names {sample_id!r}, which has no labelme JSON. Add it or mend the list"
            )
        photo = photos[sample_id]
        items.append(
            SourceItem(
                sample_id,
                photo.image or photo.file,
                annotations=(Annotation(),) if options.people == "single" else (),
                image_hw=_stated_hw(photo),
                label_files=(photo.file,),
                embedded=photo.image is None,
            )
        )
    return items


def labelme_photos(archives: Archives) -> dict[str, Photo]:
    """Sample id -> its labelme file, in archive order; other JSON files are passed over.

    Raises:
        DataError: there is none, one cannot be read, or its photo is nowhere.
    """
    places = {(member.archive, member.path): member for member in archives.members}
    found = []
    for member in archives.members:
        if member.path.lower().endswith(".json"):
            content = read_table(archives, member)
            if isinstance(content.get("shapes"), list):
                found.append(Photo(member, content, _image(archives, places, member, content)))
    if not found:
        raise DataError(f"{archives.folder}: no labelme JSON there. {_HINT}")
    ids = ids_of_paths([photo.file.path for photo in found], str(archives.folder))
    return dict(zip(ids, found, strict=True))


def _image(
    archives: Archives, places: dict[tuple[tuple[str, ...], str], Member], file: Member, content: dict[str, Any]
) -> Member | None:
    """The photo where imagePath leads to, else of that name beside the JSON, else anywhere; None for `imageData`."""
    told = told_name(str(content.get("imagePath") or "").replace("\\", "/"))
    folder, name = posixpath.dirname(file.path), posixpath.basename(told)
    for path in (posixpath.normpath(posixpath.join(folder, told)), posixpath.join(folder, name)):
        if name and (file.archive, path) in places:
            return places[file.archive, path]
    if name and (anywhere := archives.find(name)) is not None:
        return anywhere
    if content.get("imageData"):
        return None
    raise DataError(
        f"{file.name}: its photo {told!r} is not there, and it holds no imageData. Put the photo beside it, or take it away"
    )


def _stated_hw(photo: Photo) -> tuple[int, int] | None:
    height, width = photo.content.get("imageHeight"), photo.content.get("imageWidth")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def labelme_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """Part mask and person ids from the shapes.

    Raises:
        DataError: a shape is broken, has an unknown label, or lacks the group_id that others have.
    """
    (file,) = item.label_files
    return labels_of_shapes(read_table(archives, file)["shapes"], item.annotations, image_hw, label_set, file.name)


def labelme_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """How the set was split, photos that no split holds or that have no JSON, and shapes that are no areas."""
    photos = labelme_photos(archives)
    listed = split_lists(archives, options.splits, _LIST)
    held = {one for split in options.splits for one in read_names(archives, listed[split])} if listed else set(photos)
    images = {member for member in archives.members if member.path.lower().endswith(IMAGE_ENDINGS)}
    kinds = [shape.get("shape_type", "polygon") for photo in photos.values() for shape in photo.content["shapes"]]
    return {
        "split": "list files" if listed else f"drawn by seed {options.seed}",
        "images": len(photos),
        "unlisted_images": len(set(photos) - held),
        "images_without_json": len(images - {photo.image for photo in photos.values()}),
        "shapes_not_read": sum(kind not in AREAS for kind in kinds),
    }


LABELME = Layout("labelme", SPLITS, labelme_items, {}, (), labelme_labels, labelme_account)
