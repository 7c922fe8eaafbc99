"""The command `im2latex`."""
