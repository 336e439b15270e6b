"""Ask a PACS: associations, C-ECHO and C-FIND over asyncio."""
