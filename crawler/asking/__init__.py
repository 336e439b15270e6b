"""Questions as people type them, and answers as they want to see them: keys, query files, dumps, DICOM JSON."""
