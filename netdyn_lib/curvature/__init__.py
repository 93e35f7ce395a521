"""Hessians and Jacobians of descent: products, spectra, sharpness, batches, pruned descent."""
