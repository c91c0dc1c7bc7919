"""Geometry and network kernels; knows no word of the domain."""
