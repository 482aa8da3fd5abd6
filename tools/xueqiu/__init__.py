"""Xueqiu: posts in the discussion of its home page."""
