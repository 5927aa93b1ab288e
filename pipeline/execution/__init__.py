"""Work side by side: a function over shards in processes of this machine or on a Ray cluster, and items made ahead.

Ray (`cluster`) and a cluster that shares only a store (`courier`, `storage`) are imported from their own files: every worker
process imports this one.
"""

from pipeline.execution.ahead import batches, prefetched
from pipeline.execution.engine import NO_FILES, Engine, Files
from pipeline.execution.local import LocalPool, worker_count

__all__ = ["NO_FILES", "Engine", "Files", "LocalPool", "batches", "prefetched", "worker_count"]
