"""Sample people: drawn scenes with exact labels, written as archives in the layouts of the published data sets."""
