# pacslake as a container: the command is the entry point, the working folder holds pacslake.toml and the lake.
FROM python:3.13-slim AS build
COPY requirements.lock /src/
RUN python -m venv /opt/pacslake \
 && /opt/pacslake/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /src/requirements.lock
COPY pyproject.toml README.md LICENSE /src/
COPY config /src/config
COPY crawler /src/crawler
COPY jobs /src/jobs
RUN /opt/pacslake/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation /src

FROM python:3.13-slim
COPY --from=build /opt/pacslake /opt/pacslake
RUN useradd --system --uid 1000 --create-home --home-dir /data pacslake
USER pacslake
WORKDIR /data
ENV PATH="/opt/pacslake/bin:$PATH"
ENTRYPOINT ["pacslake"]
CMD ["--help"]
