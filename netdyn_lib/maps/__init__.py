"""One-dimensional maps: orbits, bifurcations, periodic windows, cascades."""
