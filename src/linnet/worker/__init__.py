"""The children: each runs in a process of its own, so that native code cannot hurt the caller."""
