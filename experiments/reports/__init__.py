"""Commands that measure one part each and print what they found."""
