"""What of a conversation is said to the model again: it has a small window, and people go on talking."""
