"""The HTTP face: OpenAI's, Anthropic's and llama-server's protocols over one set of models."""
