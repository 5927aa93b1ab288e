"""How many joints people have, split by split, drawn as inline SVG."""

from __future__ import annotations

import numpy as np

from pipeline.shards.read import Shards
from trainer.report.html import Html, element
from trainer.report.inputs import ReportInputs

WIDTH, HEIGHT = 320, 120
LEFT, BOTTOM, TOP = 8, 22, 8


def joints_charts(inputs: ReportInputs) -> Html:
    """One histogram per split whose people have joints; nothing where no split has any."""
    charts = [
        _chart(f"{dataset} {split}", joints_per_person(shards))
        for dataset, split, shards in inputs.splits()
        if shards.manifest.keypoints is not None and len(shards)
    ]
    if not charts:
        return Html()
    return element("div", element("h3", "Joints per person"), element("div", *charts, class_="charts"))


def joints_per_person(shards: Shards) -> np.ndarray:
    """(K + 1,) people that have 0, 1 ... K joints."""
    joints = len(shards.manifest.keypoints or ())
    counts = np.zeros(joints + 1, np.int64)
    for row in shards.rows(["keypoints"]):
        counts[sum(joint[2] > 0 for joint in row["keypoints"] or ())] += 1
    return counts


def _chart(name: str, counts: np.ndarray) -> Html:
    people, most = int(counts.sum()), int(counts.max())
    mean = float((counts * np.arange(len(counts))).sum() / people)
    told = (
        f"{name}: {mean:.1f} of {len(counts) - 1} joints in the mean, {int(counts[0])} of {people} people without any"
    )
    step = (WIDTH - 2 * LEFT) / len(counts)
    bars = [
        element(
            "rect",
            element("title", f"{joints} joints: {count} people"),
            x=f"{LEFT + joints * step + 1:.1f}",
            y=f"{HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * count / most:.1f}",
            width=f"{step - 2:.1f}",
            height=f"{(HEIGHT - BOTTOM - TOP) * count / most:.1f}",
        )
        for joints, count in enumerate(counts.tolist())
    ]
    labels = [
        element("text", str(joints), x=f"{LEFT + (joints + 0.5) * step:.1f}", y=HEIGHT - 7, text_anchor="middle")
        for joints in sorted({0, (len(counts) - 1) // 2, len(counts) - 1})
    ]
    base = element("line", x1=LEFT, x2=WIDTH - LEFT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM)
    drawing = element("svg", element("title", told), base, *bars, *labels, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=told)  # fmt: skip
    return element("figure", element("figcaption", element("strong", name), f" mean {mean:.1f}"), drawing)
