"""The recipe ``pictograms``: pictures and words from public drawing sets; see README.md."""
