# The agent: a sidecar for one application in one environment. Build at the top of the repository:
#   docker build -f deploy/agent.Dockerfile -t trimtab/agent:0.1.0 .
# Images are pinned by exact tag. A digest would pin one platform's bytes; add the digest of your own registry's mirror.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/build.txt requirements/agent.txt requirements/
RUN ["python", "-m", "venv", "/opt/trimtab"]
RUN ["/opt/trimtab/bin/pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", "requirements/agent.txt"]
RUN ["pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", "requirements/build.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY shared shared
COPY agent agent
COPY control_plane control_plane
RUN ["pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "/wheels", "."]
RUN ["/opt/trimtab/bin/pip", "install", "--no-deps", "--no-index", "--find-links", "/wheels", "trimtab"]
# One wheel holds both programs; the control plane has no business beside an application.
RUN ["rm", "-r", "/opt/trimtab/lib/python3.11/site-packages/control_plane", "/opt/trimtab/bin/trimtab"]
# Volumes that are mounted here begin with this owner, so that the unprivileged user can write to them.
RUN ["install", "--directory", "--owner=10001", "--group=10001", "--mode=0750", "/var/lib/trimtab", "/run/trimtab"]

FROM python:3.11.14-slim-bookworm
COPY --from=build /opt/trimtab /opt/trimtab
COPY --from=build --chown=10001:10001 /var/lib/trimtab /var/lib/trimtab
COPY --from=build --chown=10001:10001 /run/trimtab /run/trimtab
ENV PATH=/opt/trimtab/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TRIMTAB_AGENT_STATE_DIR=/var/lib/trimtab
USER 10001:10001
# Nothing is exposed: the agent listens on loopback, in the network namespace of its application.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["trimtab-agent", "health"]
ENTRYPOINT ["trimtab-agent"]
