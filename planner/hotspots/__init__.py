"""Hotspots: where people in need are found, corrected for where anyone looked."""
