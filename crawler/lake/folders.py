"""Folders in a lake, for who must know them before it loads what uses them. Pure."""

from __future__ import annotations

LOG, AUDIT, BY_DAY, STANDING = "log", "audit", "by-day", "pacs"
