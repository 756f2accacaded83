"""Making examples of tool calls, learning from them, and what comes of it as an adapter."""
