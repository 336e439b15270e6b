"""A simulated PACS for demonstrations, tests and users' own tests."""
