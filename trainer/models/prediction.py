"""What every model of this package is, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from trainer.input_spec import IMAGENET_FEEDING, Feeding


@dataclass
class Prediction:
    """Outputs of a model in the order of supervision, the last of each list being the answer.

    Attributes:
        parsing: logits (N, num_classes, h, w).
        edge: logits (N, 2, h, w); empty where the model has no edge head.
        pose: heatmaps (N, K, h, w), or (N, K + 1, h, w) with the background last (MuLA); empty where the model has no
            pose head.
        centroids: ways from joints to their person's centroid (N, 2 K, h, w), as trainer.multi_person has them; empty
            where the model has no such branch.
    """

    parsing: list[Tensor]
    edge: list[Tensor] = field(default_factory=list)
    pose: list[Tensor] = field(default_factory=list)
    centroids: list[Tensor] = field(default_factory=list)


class ParsingNetwork(nn.Module):
    """A network that takes images (N, 3, H, W), fed as its input spec says, and returns a Prediction.

    Attributes:
        align_corners: how its outputs are to be resized to the input's size.
        pose_background: its pose maps end with one of background.
        feeding: mean and deviation of what it is fed.
    """

    align_corners: bool
    pose_background = False
    feeding: Feeding = IMAGENET_FEEDING

    def check_images(self, images: Tensor) -> None:
        """Nothing, where these images can be fed.

        Raises:
            ValueError: they are not (N, 3, H, W), or of a size that does not fit.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images: shape {tuple(images.shape)}, expected (N, 3, H, W)")
        self.check_input_size((images.shape[2], images.shape[3]))

    def check_input_size(self, size: tuple[int, int]) -> None:
        """Nothing, where inputs of that (height, width) can be fed; every size, unless a model says otherwise.

        Raises:
            ValueError: a side does not fit; sides that do are named.
        """
