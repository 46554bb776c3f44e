"""Retrieval from a catalog that is split over several workers."""
