"""The two REST dialects. Neither knows the other."""
