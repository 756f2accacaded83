"""The tools that come with Linnet, one file each; nothing is imported until a tool is wanted."""
