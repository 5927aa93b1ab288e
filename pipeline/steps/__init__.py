"""The work that each data stage does on one shard, from shards in to a shard's bytes out."""
