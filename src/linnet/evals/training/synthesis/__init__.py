"""Requests with the calls that they want, made up from tools: what people have tools for, and how they say it."""
