"""From a manifest to files: objects that PACS send to us are received, checked and kept on disk."""
