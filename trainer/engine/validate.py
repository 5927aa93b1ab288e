"""One look at a split, by one process or several."""

from __future__ import annotations

from lightning_fabric import Fabric
from torch.utils.data import Subset

from trainer.data.loading import JudgedData, judged_loader
from trainer.data.samples import ParsingSamples
from trainer.predict import CropParser, parse_all
from trainer.ranks import merged, share
from trainer.scoring import Scores


def validate(
    parser: CropParser, split: ParsingSamples, batch_size: int, workers: int, fabric: Fabric
) -> dict[str, float]:
    """Scores in percent of one look at every sample of a split, named val_<score>; undefined ones are left out.

    Every process looks at whole batches of the split, and all have the same scores: those of one that looks at all.
    """
    parser.model.eval()
    scores = Scores(split.label_set, split.keypoint_set)
    data = JudgedData(split, parser.card.input_spec, (1.0,))
    batches = share(-(-len(data) // batch_size), fabric.global_rank, fabric.world_size)
    mine = range(batches.start * batch_size, min(batches.stop * batch_size, len(data)))
    for item, answer in parse_all(parser, judged_loader(Subset(data, mine), batch_size, workers), batch_size):
        scores.update(item, answer)
    computed = merged(fabric, scores).compute()["scores"]
    return {f"val_{name}": value for name, value in computed.items() if value is not None}
