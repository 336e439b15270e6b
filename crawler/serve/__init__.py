"""What a running service tells others."""
