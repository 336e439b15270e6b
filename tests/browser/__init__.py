"""People's ways through the pages, in a real browser. A package, so that its service and browser end with it."""
