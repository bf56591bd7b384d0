# The service alone: it wants a PostgreSQL server (see compose.yaml) and carries no embedded one, no compiler, no npm.
# The steps also run without a container engine: `python3 tools/dockerfile_steps.py` prints them for a throw-away Debian 12.

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt requirements-build.txt requirements-node.txt package.json package-lock.json ./
RUN python3 -m venv /opt/vendor-mgmt \
    && /opt/vendor-mgmt/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.txt
COPY tools/setup.py tools/setup.py
RUN python3 tools/setup.py --front-end \
    && .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY contracts contracts
COPY scorecards scorecards
COPY vendor_mgmt vendor_mgmt
COPY migrations migrations
RUN .venv/bin/python -m hatchling build --target wheel --directory /build/dist \
    && /opt/vendor-mgmt/bin/pip install --no-cache-dir --no-index --no-deps /build/dist/vendor_mgmt-*.whl

FROM python:3.13-slim-bookworm
# The distribution's stable release decides the versions; pinned ones would vanish from its archive with the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fontconfig fonts-noto-core fonts-noto-color-emoji fonts-wqy-microhei \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/vendor-mgmt --shell /usr/sbin/nologin vendor-mgmt
COPY --from=build /opt/vendor-mgmt /opt/vendor-mgmt
ENV PATH=/opt/vendor-mgmt/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VENDOR_MGMT_DATA_DIR=/var/lib/vendor-mgmt \
    VENDOR_MGMT_HOST=0.0.0.0 \
    VENDOR_MGMT_PORT=8000
# By number, so that a platform that forbids root can see that this is not root.
USER 10001
WORKDIR /var/lib/vendor-mgmt
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["vendor-mgmt"]
CMD ["serve"]
