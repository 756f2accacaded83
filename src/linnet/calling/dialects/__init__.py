"""Wire shapes of tool calls: how families write them, rendered and parsed in the same file, whole or in pieces."""
