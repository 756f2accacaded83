"""A file of requests, each answered once, whatever ends the program in between."""
