"""The report's second section: the scores, beside the best constant answer and the published rows."""

from __future__ import annotations

from typing import Any

from pipeline.taxonomy import keypoint_set, label_set
from trainer.report.html import DASH, Html, bar, element, number, section, table
from trainer.report.inputs import ReportInputs
from trainer.report.published import LIP_VAL

CONFUSION = "confusion.png"

_TITLES = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy over classes",
    "mean_iou": "mean IoU over classes",
    "foreground_accuracy": "accuracy on people's pixels",
    "pckh_mean": "PCKh@0.5, all joints",
    "pckh_upper_body": "PCKh@0.5, upper body",
}


def headline(inputs: ReportInputs) -> Html:
    """The few numbers that say how the run went, each with what it is to be held against."""
    judged = inputs.metric("evaluate")
    scores, constant, protocol = judged["scores"], judged["constant"], judged["protocol"]
    cards = [
        ("mean IoU", _percent(scores.get("mean_iou")), f"best constant answer: {_percent(constant['mean_iou'])}"),
        ("pixel accuracy", _percent(scores.get("pixel_accuracy")), f"of {number(protocol['images'])} people"),
        ("PCKh@0.5", _percent(scores.get("pckh_mean")), "joints within half a head's size"),
    ]
    return element(
        "ul",
        *(
            element("li", element("span", title), element("strong", value), element("small", note))
            for title, value, note in cards
        ),
        class_="cards",
    )


def result_section(inputs: ReportInputs) -> Html:
    """Scores, published rows, IoU per class, PCKh per joint, the confusion matrix (a picture of that name)."""
    judged = inputs.metric("evaluate")
    columns = [_scores(judged), _published(inputs, judged), _classes(judged, inputs.params.train.label_set)]
    if any(value is not None for value in judged["pckh"].values()):
        columns.append(_joints(judged, inputs.params.train.keypoint_set))
    return section(
        "result",
        "Result",
        element("p", _told(judged["protocol"])),
        element("div", *columns, class_="columns"),
        _confusion(),
    )


def _told(protocol: dict[str, Any]) -> str:
    scales = ", ".join(f"{scale:g}" for scale in protocol["scales"])
    return (
        f"{', '.join(protocol['datasets'])} {protocol['split']}: {protocol['images']} people. "
        f"Resolution: {protocol['resolution']}. Protocol {protocol['name']}, flip {'on' if protocol['flip'] else 'off'}, scales {scales}; "
        f"{protocol['averaging']}. Split hash {protocol['split_sha256'][:16]}."
    )


def _scores(judged: dict[str, Any]) -> Html:
    constant = judged["constant"]
    rows = [
        [_TITLES.get(name, name.replace("_", " ")), number(value), number(constant.get(name))]
        for name, value in _in_order(judged["scores"], tuple(_TITLES))
    ]
    caption = f"Scores, percent; beside them the best constant answer (every pixel {constant['class']})"
    return table(caption, ["score", "this run", "constant"], rows)


def _published(inputs: ReportInputs, judged: dict[str, Any]) -> Html:
    protocol, scores = judged["protocol"], judged["scores"]
    drawn = [name for name in protocol["datasets"] if inputs.params.datasets[name].source == "sample"]
    mine = f"this run, on {', '.join(protocol['datasets'])} {protocol['split']}" + (", drawn sample" if drawn else "")
    rows = [[mine, *(number(scores.get(name)) for name in ("pixel_accuracy", "mean_accuracy", "mean_iou"))]]
    rows += [[row.method, *(f"{score:.2f}" for score in row[1:])] for row in reversed(LIP_VAL)]
    caption = "Published, on the real LIP validation set (CorrPM, CVPR 2020, Table 2)"
    note = (
        f"Not comparable: {', '.join(drawn)} here is the drawn sample, not the photographs of the real LIP."
        if drawn
        else "Comparable only where this run was judged on the whole real LIP validation set by the same protocol."
    )
    return element(
        "div",
        table(caption, ["method", "pixel acc.", "mean acc.", "mIoU"], rows, marked=0),
        element("p", element("strong", note), class_="note"),
    )


def _classes(judged: dict[str, Any], labels: str) -> Html:
    names = label_set(labels).part_names
    rows = [[name, bar(value)] for name, value in _in_order(judged["iou"], names)]
    note = f"{DASH} stands for a class that neither occurs nor is predicted"
    return table(f"IoU per class, percent; {note}", ["class", "IoU"], rows, words=(0, 1))


def _joints(judged: dict[str, Any], joints: str) -> Html:
    rows = [[name, bar(value)] for name, value in _in_order(judged["pckh"], keypoint_set(joints).keypoint_names)]
    caption = "PCKh@0.5 per joint, percent; pelvis and thorax count in no mean"
    return table(caption, ["joint", "PCKh"], rows, words=(0, 1))


def _confusion() -> Html:
    told = "Confusion matrix: each row is a true class, each column a predicted one, in percent of the row's pixels"
    picture = element("img", src=CONFUSION, alt=f"{told}. The diagonal is recall.", loading="lazy")
    return element(
        "figure",
        element("a", picture, href=CONFUSION),
        element("figcaption", f"{told}. Open it for its full size."),
        class_="confusion",
    )


def _in_order(values: dict[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The values in the order of `names`, others after them: metrics files are sorted by name."""
    return sorted(values.items(), key=lambda item: names.index(item[0]) if item[0] in names else len(names))


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f} %"
