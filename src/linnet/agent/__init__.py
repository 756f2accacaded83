"""Decide, do, check: what turns a request into an answer that says how it came about."""
