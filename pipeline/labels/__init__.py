"""Labels derived from labels: edge maps from part masks, Gaussian heatmaps from keypoints."""

from pipeline.labels.edges import edge_map, people_edge_map
from pipeline.labels.heatmaps import gaussian_heatmaps

__all__ = ["edge_map", "gaussian_heatmaps", "people_edge_map"]
