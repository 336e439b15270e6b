"""The lake as a PACS that answers C-FIND: requests become SQL over its tables, rows become encoded identifiers."""
