"""The report's second section: the scores, beside the best constant answer and the published rows."""

from __future__ import annotations

from typing import Any

from pipeline.taxonomy import keypoint_set, label_set
from trainer.report.confusion import confusion_table
from trainer.report.html import DASH, Html, bar, element, number, section, table
from trainer.report.inputs import ReportInputs
from trainer.report.published import LIP_IOU, LIP_IOU_SOURCE, PUBLISHED

_TITLES = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy over classes",
    "mean_iou": "mean IoU over classes",
    "foreground_accuracy": "accuracy on people's pixels",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "pckh_mean": "PCKh@0.5, all joints",
    "pckh_upper_body": "PCKh@0.5, upper body",
    "apr_mean": "part AP, mean over IoU 0.1 to 0.9",
    "apr_50": "part AP at IoU 0.5",
    "apr_60": "part AP at IoU 0.6",
    "apr_70": "part AP at IoU 0.7",
    "official_apr_mean": "part AP by the official rules, mean over IoU 0.1 to 0.9",
    "official_apr_50": "part AP by the official rules at IoU 0.5",
    "official_apr_60": "part AP by the official rules at IoU 0.6",
    "official_apr_70": "part AP by the official rules at IoU 0.7",
    "multi_person_pose_ap": "mAP of joints",
    "keypoint_ap": "keypoint AP, mean over OKS 0.5 to 0.95",
    "keypoint_ap50": "keypoint AP at OKS 0.5",
    "keypoint_ap75": "keypoint AP at OKS 0.75",
    "keypoint_ap_medium": "keypoint AP, medium people",
    "keypoint_ap_large": "keypoint AP, large people",
}
_BY_JOINT = {
    "pckh": "PCKh@0.5 per joint, percent; pelvis and thorax count in no mean",
    "pose_ap": "AP per joint, percent",
}
"""What metrics/evaluate.json tells joint by joint -> its caption."""


def headline(inputs: ReportInputs) -> Html:
    """The few numbers that say how the run went, each with what it is to be held against."""
    judged = inputs.metric("evaluate")
    scores, protocol, constant = judged["scores"], judged["protocol"], judged["constant"]["mean_iou"]
    notes = {
        "mean_iou": ("mean IoU", f"best constant answer: {_percent(constant)}"),
        "pixel_accuracy": ("pixel accuracy", f"of {number(protocol['images'])} {protocol.get('unit', 'people')}"),
        "pckh_mean": ("PCKh@0.5", "joints within half a head's size"),
        "apr_mean": ("part AP", "mean over IoU 0.1 to 0.9"),
        "multi_person_pose_ap": ("pose mAP", "joints within half a head's size"),
        "keypoint_ap": ("keypoint AP", "mean over OKS 0.5 to 0.95"),
    }
    cards = [(*note, scores[key]) for key, note in notes.items() if scores.get(key) is not None]
    return element(
        "ul",
        *(
            element("li", element("span", title), element("strong", _percent(value)), element("small", note))
            for title, note, value in cards
        ),
        class_="cards",
    )


def result_section(inputs: ReportInputs) -> Html:
    """Scores, published rows, IoU per class, the joints as the protocol judges them, the confusion matrix."""
    judged = inputs.metric("evaluate")
    tables = [_scores(judged)]
    if judged["protocol"]["name"] in PUBLISHED:
        tables.append(_published(inputs, judged))
    each = [_classes(judged["iou"], inputs.params.train.label_set)]
    for measure, caption in _BY_JOINT.items():
        if any(value is not None for value in judged.get(measure, {}).values()):
            each.append(_joints(judged[measure], inputs.params.train.keypoint_set, caption))
    return section(
        "result",
        "Result",
        element("p", _told(judged["protocol"])),
        element("div", *tables, class_="columns"),
        element("div", *each, class_="columns uneven"),
        confusion_table(inputs),
    )


def _told(protocol: dict[str, Any]) -> str:
    scales = ", ".join(f"{scale:g}" for scale in protocol["scales"])
    return (
        f"{', '.join(protocol['datasets'])} {protocol['split']}: {number(protocol['images'])} {protocol.get('unit', 'people')}. "
        f"Resolution: {protocol['resolution']}. Protocol {protocol['name']}, flip {'on' if protocol['flip'] else 'off'}, scales {scales}; "
        f"{protocol['averaging']}. Split hash {protocol['split_sha256'][:16]}."
    )


def _scores(judged: dict[str, Any]) -> Html:
    rows = [[_title(name), number(value)] for name, value in _in_order(judged["scores"], tuple(_TITLES))]
    constant = judged["constant"]
    rows.append(
        [f"mean IoU of the best constant answer (every pixel {constant['class']})", number(constant["mean_iou"])]
    )
    return table("Scores, percent", ["score", "this\u00a0run"], rows)


def _published(inputs: ReportInputs, judged: dict[str, Any]) -> Html:
    protocol, scores = judged["protocol"], judged["scores"]
    published = PUBLISHED[protocol["name"]]
    # A set that `hpp label` made stands in no section.
    sources = {name: section.source for name, section in inputs.params.datasets.items()}
    drawn = [name for name in protocol["datasets"] if sources.get(name) == "sample"]
    mine = f"this run, on {', '.join(protocol['datasets'])} {protocol['split']}" + (", drawn sample" if drawn else "")
    rows = [[mine, *(number(scores.get(name)) for name in published.columns.values())]]
    rows += [[_as_published(method), *(f"{score:.2f}" for score in row)] for method, row in reversed(published.rows)]
    caption = f"Beside what was published on {published.where} ({published.source})"
    note = (
        f"Not comparable: {', '.join(drawn)} here is the drawn sample, not {published.where}."
        if drawn
        else f"Comparable only where this run was judged on {published.where}, whole and by the same protocol."
    )
    return element(
        "div",
        table(caption, ["method", *published.columns], rows, marked=0),
        element("p", element("strong", note), class_="note"),
    )


def _classes(iou: dict[str, Any], labels: str) -> Html:
    """This run's bars; LIP's published columns where the classes are LIP's."""
    names = label_set(labels).part_names
    published = LIP_IOU if set(names) == set(LIP_IOU["CorrPM"]) else {}
    rows = [
        [name, bar(value), *(f"{row[name]:.2f}" for row in published.values())] for name, value in _in_order(iou, names)
    ]
    caption = f"IoU per class, percent; {DASH} stands for a class that neither occurs nor is predicted"
    if published:
        caption += f". Published on {PUBLISHED['lip'].where}: {LIP_IOU_SOURCE}; P is parsing alone"
    head = ["class", "this\u00a0run", *(_as_published(method) for method in published)]
    return table(caption, head, rows, words=(0, 1))


def _joints(scores: dict[str, Any], joints: str, caption: str) -> Html:
    rows = [[name, bar(value)] for name, value in _in_order(scores, keypoint_set(joints).keypoint_names)]
    return table(caption, ["joint", "this run"], rows, words=(0, 1))


def _as_published(method: str) -> Html:
    """A method's name, marked as one whose score was not measured here."""
    return Html(element("span", method) + " " + element("span", "published", class_="tag"))


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))


def _in_order(values: dict[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The values in the order of `names`, others after them: metrics files are sorted by name."""
    return sorted(values.items(), key=lambda item: names.index(item[0]) if item[0] in names else len(names))


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f} %"
