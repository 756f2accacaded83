"""Several servers of one model as one Model: who is asked, who is left alone for a while, what came of it."""
