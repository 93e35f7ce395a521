"""Speed and memory of the engine: ``make bench`` runs ``python -m tests.bench``."""
