"""What is this machine, and what fits on it?"""
