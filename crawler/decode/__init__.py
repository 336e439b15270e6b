"""Turn encoded identifiers into typed Arrow columns. Pure."""

from crawler.decode.decode import decode

__all__ = ["decode"]
