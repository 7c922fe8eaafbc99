"""Formula text: lexer, vocabulary, normalizer. Pure text, no JAX."""
