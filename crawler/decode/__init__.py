"""Turn encoded identifiers into typed Arrow columns. Pure."""
