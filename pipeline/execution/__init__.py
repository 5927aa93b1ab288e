"""Work side by side: a function over shards in processes of this machine or on a Ray cluster, and items made ahead."""

from pipeline.execution.ahead import batches, prefetched
from pipeline.execution.cluster import RayCluster
from pipeline.execution.courier import Courier
from pipeline.execution.engine import NO_FILES, Engine, Files
from pipeline.execution.local import LocalPool, worker_count
from pipeline.execution.storage import Storage

__all__ = [
    "NO_FILES", "Courier", "Engine", "Files", "LocalPool", "RayCluster", "Storage", "batches", "prefetched", "worker_count",
]  # fmt: skip
