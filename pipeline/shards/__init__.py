"""Sharded parquet and npz files: written whole, listed with their hashes in a manifest, read by index."""

from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.read import Shards, open_shards

__all__ = ["Manifest", "ShardEntry", "Shards", "open_shards"]
