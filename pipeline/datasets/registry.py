"""The layouts that can be read, by the name that params.yaml's `layout` gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.datasets.cihp import CIHP
from pipeline.datasets.coco import COCO
from pipeline.datasets.layout import Layout
from pipeline.datasets.lip import LIP

LAYOUTS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in (LIP, CIHP, COCO)})
