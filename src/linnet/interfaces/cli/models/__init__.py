"""`linnet models`: which models there are, and what is done with them."""
