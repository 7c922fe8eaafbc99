# docker build -t im2latex .                       reading images on the CPU
# docker build -t im2latex:train --target train .  training on the CPU, with TeX
# docker build -t im2latex:cuda --target cuda .    training on NVIDIA GPUs, with TeX
#
# docker run --rm -v "$PWD:/data" im2latex predict /data/formula.png

FROM python:3.12-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /im2latex_jax
COPY pyproject.toml README.md LICENSE ./
COPY im2latex_jax im2latex_jax

FROM base AS train-base
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      git texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-science \
      texlive-fonts-recommended dvipng && rm -rf /var/lib/apt/lists/*
COPY experiments experiments

FROM train-base AS cuda
RUN pip install '.[train,solve,cuda12]'
ENTRYPOINT ["im2latex"]
CMD ["--help"]

FROM train-base AS train
RUN pip install '.[train,solve]'
ENTRYPOINT ["im2latex"]
CMD ["--help"]

FROM base AS predict
RUN pip install '.[solve]' && useradd --create-home reader
USER reader
ENTRYPOINT ["im2latex"]
CMD ["--help"]
