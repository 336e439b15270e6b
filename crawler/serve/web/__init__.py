"""Pages for people, and the same as JSON for programs."""
