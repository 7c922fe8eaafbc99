"""The data set im2latex-100k (Deng et al. 2017), from its official release; see `builder`."""
