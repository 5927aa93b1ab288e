"""One file per command: read parameters, call the pipeline or the trainer, write metrics."""
