"""The prompt lab: one file of cases, several prompts, notations, models and settings side by side."""
