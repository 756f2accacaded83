"""Likelihoods of given texts out of servers that speak JSON."""
