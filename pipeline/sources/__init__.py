"""Where data sets come from: published files, mirrors, stores, local folders; verified, then read in place."""
