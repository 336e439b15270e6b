"""SQL to a PACS itself: which C-FIND requests bring at least the rows that a statement can want."""
