"""An agent and its tools, for whoever speaks the Model Context Protocol."""
