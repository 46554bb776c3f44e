"""Retrieval by paths: Deep Retrieval, generative item codes, streaming vector quantisation."""
