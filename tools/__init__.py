"""What can be asked: tools, sites, playbooks and proofs as pure typed data. Knows neither storage nor upper floors."""
