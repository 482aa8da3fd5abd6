"""Tonghuashun's community (10jqka): articles."""
