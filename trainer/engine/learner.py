"""One step of the optimiser on one batch, wherever its parts lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule, _FabricOptimizer
from torch import Tensor, nn

from pipeline.params import Params
from trainer.data.batch import Batch
from trainer.data.targets import make_targets
from trainer.input_spec import InputSpec
from trainer.losses import Counts, Targets, training_loss
from trainer.models import ParsingNetwork
from trainer.ranks import summed


@dataclass(frozen=True, eq=False)
class Learner:
    """What a step works with.

    Attributes:
        network: the module whose weights are learnt.
        model, optimizer: as `fabric` has set them up; calling the model runs the network on this process's device.
        params: the sections train, heatmaps and edges are read.
        spec: how images are fed.
    """

    fabric: Fabric
    network: ParsingNetwork
    model: _FabricModule
    optimizer: _FabricOptimizer
    params: Params
    spec: InputSpec

    def gradients(self, parts: Sequence[Batch]) -> tuple[dict[str, float], float]:
        """Compute the gradients of the whole batch's loss.

        The means in the loss are taken over the batch as a whole: this process's parts and those of the others. So the
        number of parts and of processes changes nothing but rounding, unless norms learn from each part by itself.

        Args:
            parts: this process's share of the batch, on the device.

        Returns:
            "loss" and its parts, "loss_<part>", of the whole batch; the gradients' norm before it was clipped, still
            scaled with 16-mixed.
        """
        targets = [self._targets(part) for part in parts]
        counts = self._whole([Counts.of(each) for each in targets])
        losses = []
        for number, (part, truth) in enumerate(zip(parts, targets, strict=True), start=1):
            with self.fabric.no_backward_sync(self.model, enabled=number < len(parts)):
                prediction = self.model(self.spec.normalize(part.images))
                align = bool(self.network.align_corners)
                loss, named = training_loss(
                    prediction, truth, self.params.train.loss, align_corners=align, counts=counts
                )
                # Gradients are averaged over processes, and each process has its share of the loss.
                self.fabric.backward(loss * self.fabric.world_size)
            losses.append(torch.stack([loss.detach(), *(value.detach() for value in named.values())]))
        values = summed(reduce(torch.add, losses), self.fabric)
        *told, norm = torch.cat([values, self._clipped_norm()[None]]).tolist()
        return dict(zip(["loss", *(f"loss_{part}" for part in named)], told, strict=True)), norm

    def update(self, rate: float) -> None:
        """Move the weights down the gradients, which are gone then."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _targets(self, part: Batch) -> Targets:
        return make_targets(
            part,
            self.params.edges.width,
            self.params.heatmaps,
            background=bool(self.network.pose_background),
            missing=self.params.train.loss.missing_keypoints,
            centroids=self.params.train.centroids,
        )

    def _whole(self, counts: list[Counts]) -> Counts:
        """Counts of all parts and all processes."""
        own = reduce(torch.add, [torch.stack(list(part)) for part in counts])
        return Counts(*summed(own, self.fabric))

    def _clipped_norm(self) -> Tensor:
        most = self.params.train.clip_norm
        if most is None:
            weights = self.network.parameters()
            return nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        norm = self.fabric.clip_gradients(self.model, self.optimizer, max_norm=most, error_if_nonfinite=False)
        assert norm is not None
        return norm
