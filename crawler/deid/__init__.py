"""The room that takes patients out of DICOM files: what becomes of each element, pseudonyms, what pixels may show,
and the check that looks for what was left. It knows nothing of lake, store or cohorts."""
