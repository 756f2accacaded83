"""Which encoding of a model's weights suits this machine: made, measured against the original, and judged."""
