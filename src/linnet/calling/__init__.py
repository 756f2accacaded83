"""From a request to a valid tool call: which tool, or none, and with which arguments."""
