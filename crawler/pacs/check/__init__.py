"""What a PACS can do, found out by a few careful questions: asking, evidence, verdicts."""
