"""The command `linnet`: one file a command, and what commands share."""
