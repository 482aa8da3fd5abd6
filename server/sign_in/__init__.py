"""Signing accounts in: a one-time page with a live browser at the platform's login."""
