"""`linnet eval`: how often Linnet is right, measured; a file for each thing that is measured."""
