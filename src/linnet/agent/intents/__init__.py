"""Which intent a request has: learnt from examples, kept in a plain file, read with NumPy alone."""
