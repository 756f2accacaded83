"""How fast the engine is here, and how much of that the worker, the pipe and the caller leave."""
