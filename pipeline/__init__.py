"""What the data stages are made of: sources, records, labels, shards."""
