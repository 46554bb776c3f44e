"""Runs on the nodes of a cluster: the same plans, specs and records as on one machine."""
