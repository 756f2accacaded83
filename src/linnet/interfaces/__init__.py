"""The edges: they translate between the outside and a request, and do nothing more."""
