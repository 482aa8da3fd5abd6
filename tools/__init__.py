"""What can be asked: tools, sites, playbooks, proofs, as pure typed data. Knows neither storage nor the floors above."""
