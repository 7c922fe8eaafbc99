"""Rendering with TeX: `latex` and `dvipng` in a sandbox."""
