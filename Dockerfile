# pacslake as a container. Without further words it is the service; `docker run ... pacslake sweep` is a command.
# Its working folder /data holds pacslake.toml and the lake. It writes nowhere else but /tmp: the root may be read-only.
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.build.lock requirements.run.lock requirements.service.lock ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-compile --require-hashes --only-binary :all: -r requirements.build.lock \
 && python -m venv --without-pip /opt/pacslake \
 && /opt/build/bin/pip --python /opt/pacslake install --require-hashes --only-binary :all: -r requirements.service.lock
COPY pyproject.toml README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md CONTRIBUTING.md LICENSE ./
COPY config config
COPY docs docs
COPY crawler crawler
COPY jobs jobs
# The help of pacslake's commands becomes pages of its documents: they run here, with what the image has.
RUN PYTHONPATH="$(echo /opt/pacslake/lib/python3.*/site-packages)" \
    /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/pacslake install --no-index --no-deps /wheels/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="pacslake" \
      org.opencontainers.image.description="Crawl PACS by C-FIND into Parquet tables, query them with SQL, retrieve what was found" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/pacslake /opt/pacslake
# Numbers, since Kubernetes' runAsNonRoot cannot look names up; 1000 owns what the first user of most machines mounts.
RUN groupadd --gid 1000 pacslake \
 && useradd --uid 1000 --gid 1000 --home-dir /data --shell /usr/sbin/nologin pacslake \
 && install --directory --owner 1000 --group 1000 --mode 0700 /data
ENV PATH="/opt/pacslake/bin:$PATH"
USER 1000:1000
WORKDIR /data
VOLUME /data
# The port is that of `[serve] listen` in the settings, where they do not name another; with TLS, give a --health-cmd.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["pacslake"]
CMD ["serve"]
