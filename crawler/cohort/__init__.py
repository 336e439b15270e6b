"""Cohorts: a question to the lake, answered once and kept, so that everybody works with the same series."""
