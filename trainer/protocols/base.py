"""What protocols have in common: crops are judged as they are, or put back and judged in their whole images."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from trainer.data.loading import JudgedItem
from trainer.predict import Answer
from trainer.protocols.images import JudgedImage
from trainer.scoring import PixelScores

COMMON = {
    "averaging": "pixels counted over the whole split, then a mean over classes",
    "views": "logits of all scales and mirror images summed; a joint from the view of its highest peak",
}
"""Rules of every protocol, as its metrics file tells them."""


class CropProtocol(PixelScores):
    """Each person's crop is judged by itself, at its own size.

    Attributes:
        RULES: what the metrics file says of it.
    """

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {**COMMON, "unit": "people", "resolution": "the crop's own; logits are interpolated, label maps never"}
    )

    def update(self, item: JudgedItem, answer: Answer) -> None:
        """Count one crop."""
        self.parsing.update(answer.counted, item.mask)


class ImageProtocol(PixelScores):
    """The people of an image are put back into it, and the whole image is judged against its own labels.

    Attributes:
        RULES: what the metrics file says of it.
    """

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **COMMON,
            "unit": "images",
            "resolution": "the source image's own; logits are interpolated to the crop's pixels, label maps never",
            "people": "put back by to_source; where they overlap, a pixel goes to whose found mask holds it, "
            "then to the higher score; a missed person is background",
        }
    )

    def update(self, image: JudgedImage) -> None:
        """Count one image.

        Raises:
            DataError: it lacks labels that the protocol judges by.
        """
        self.parsing.update(image.pasted.parts, image.source.require_parts())
