"""A storm of hostile and careless clients against a server that answers a quiet one: `python -m benchmarks.hostile`."""
