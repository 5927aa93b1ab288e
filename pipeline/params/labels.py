"""How people are cut out, labelled and packed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import Count, NotNegative, Number, Odd, Section, Size


class Crop(Section):
    """How people are cut out."""

    others: Literal["black", "keep"] = "black"
    others_label: Literal[0, 255] | None = Field(None, description="none: 0 with black, 255 with keep")
    min_area: int = Field(0, ge=0, description="people of fewer visible pixels are left out, and counted")
    expand: NotNegative = Field(0.1, description="margin around the box, as a share of its sides")


class Edges(Section):
    """Edge maps."""

    width: Odd = 3
    between_people: bool = Field(False, description="also mark borders between people inside a crop")


class Heatmaps(Section):
    """Gaussian heatmaps."""

    size: Size
    stride: Count = 4
    sigma: Annotated[Number, Field(ge=0.01, le=10_000)]
    sigma_space: Literal["cells", "input"] | None = None
    convention: Literal["corrpm", "mula", "exact"] = "corrpm"
    compress: bool = True


class ShardsSection(Section):
    """How records are packed."""

    records_per_shard: Count = 200
    row_group: Count = 50
