"""Shards to batches: samples mapped to one label set, augmented, letterboxed; targets made on the device."""
