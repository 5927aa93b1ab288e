"""Work side by side: a function over shards in processes of this machine or on a Ray cluster, and items made ahead."""

from pipeline.execution.ahead import batches, prefetched
from pipeline.execution.cluster import RayCluster
from pipeline.execution.engine import Engine
from pipeline.execution.local import LocalPool, worker_count

__all__ = ["Engine", "LocalPool", "RayCluster", "batches", "prefetched", "worker_count"]
