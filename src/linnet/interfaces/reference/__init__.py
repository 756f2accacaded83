"""The reference pages below docs/reference/, made of the code that they describe."""
