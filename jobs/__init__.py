"""Everything a clock or a person starts; the only layer that knows the order of things."""
