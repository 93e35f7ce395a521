"""What is kept on disk: the store, tables of published results, provenance, the papers' claims."""
