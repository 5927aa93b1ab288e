"""Evaluates a folder of `write_set` by several protocols and writes what came out: for one process, or several by torchrun."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.trainer.builders import make_params
from trainer.engine.device import build_fabric
from trainer.evaluate import evaluate

PROTOCOLS = ("lip", "cihp", "pascal", "coco")


def main(root: Path, out: Path) -> None:
    """<root>/parser.pt judged on <root>/shards; <out>/<protocol>.json and the predictions beside it."""
    fabric = build_fabric("32-true")
    for protocol in PROTOCOLS:
        params = make_params(
            {"protocol": protocol, "flip": True}, datasets=["people"], label_set="pascal", keypoint_set="pascal14"
        )
        judged = evaluate(params, root / "parser.pt", root / "shards", root / "ingest", out / protocol, fabric=fabric)
        if fabric.is_global_zero:
            told = {**judged, "processes": fabric.world_size}
            (out / f"{protocol}.json").write_text(json.dumps(told, sort_keys=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
