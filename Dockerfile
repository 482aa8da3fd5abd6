# Webhand with its Chromium, run by an ordinary user. Chromium's own sandbox stays on where the host allows user namespaces
# (docker run --security-opt seccomp=unconfined, or a seccomp profile that allows clone with CLONE_NEWUSER); elsewhere set WEBHAND_SANDBOX=off.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates python3-venv
WORKDIR /src
COPY requirements/bootstrap.txt requirements/node.txt requirements/runtime.txt requirements/
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt -r requirements/node.txt \
    && /venv/bin/uv pip install --no-cache --python /venv/bin/python --require-hashes -r requirements/runtime.txt
COPY . .
RUN /venv/bin/uv pip install --no-cache --python /venv/bin/python --no-deps --no-build-isolation .

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates chromium fonts-noto-cjk libatomic1 python3 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 webhand \
    && install --directory --owner webhand --mode 0700 /data /data/artifacts
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH WEBHAND_DATA=/data WEBHAND_HOST=0.0.0.0 WEBHAND_LOG_FORMAT=json
USER webhand
VOLUME /data
EXPOSE 8765
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/readyz')"]
ENTRYPOINT ["tini", "--", "webhand"]
CMD ["serve"]
