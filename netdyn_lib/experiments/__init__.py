"""The papers' experiments at the papers' sizes, run in pieces, kept, published."""
