"""Requests made up from tools, and adapters trained on them."""
