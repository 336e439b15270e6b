"""Keep columns as tables: publish, change detection, queries."""
