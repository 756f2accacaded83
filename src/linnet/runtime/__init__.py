"""The caller's side of the child processes: started, watched, restarted, and never trusted."""
