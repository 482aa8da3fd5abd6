"""Eastmoney's stock boards (guba)."""
