"""Decide which windows are due and what an answer means for the next one. Pure."""
