"""The Cloud v1 dialect (contract, part 3), under /api/v1."""
