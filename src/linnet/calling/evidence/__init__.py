"""What a request and a tool say, before anything is weighed: words, numbers, times, names, parameters. Pure."""
