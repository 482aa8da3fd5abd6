"""The Tasks API dialect (contract, part 1), under /api."""
