"""Scalar time series: autocorrelation, Kantz's exponent, phases, switching."""
