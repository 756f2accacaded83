"""Fits the weights by which tool calling ranks what a request offers, from cases whose right calls are known."""
