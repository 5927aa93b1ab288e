"""Where data sets come from: local archives and folders, verified and then read in place."""
