"""The layouts that can be read, by the name that params.yaml's `layout` gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.datasets.atr import ATR
from pipeline.datasets.cihp import CIHP
from pipeline.datasets.coco import COCO
from pipeline.datasets.coco_json import COCO_JSON
from pipeline.datasets.folder import FOLDER
from pipeline.datasets.labelme import LABELME
from pipeline.datasets.layout import Layout
from pipeline.datasets.lip import LIP
from pipeline.datasets.mhp import MHP
from pipeline.datasets.pascal import PASCAL

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {layout.name: layout for layout in (LIP, CIHP, ATR, PASCAL, COCO, MHP, FOLDER, COCO_JSON, LABELME)}
)
