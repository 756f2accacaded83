"""From evidence to likely calls: candidates, their features and fitted weights, assignments, how many calls. Pure."""
