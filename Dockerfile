# One image for everything that is ours: workers, the jobs API, beat, Flower, metrics, and the
# command line (`docker run --rm -it IMAGE crawler --help`).
# Chrome is best taken from a Grid (CRAWLER_CHROME_URL). The one in here runs with its sandbox only
# where the container may make user namespaces, which Docker's own seccomp profile forbids: see
# docs/deployment.md.
# Debian 12 and Python 3.12: both have every package as a binary (a headless Chrome there, an
# embedded Redis here). For reproducible builds, give the digest: --build-arg PYTHON_IMAGE=…@sha256:…
ARG PYTHON_IMAGE=docker.io/library/python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS environment
ARG EXTRAS="embedded flower load metrics serve"
WORKDIR /src
COPY setup.cfg ./
# What it needs, without itself: a layer that lasts until setup.cfg changes. An environment without
# pip, and of Selenium's drivers for other systems nothing.
# hadolint ignore=DL3013
RUN python -c "import configparser as c; p = c.RawConfigParser(); p.read('setup.cfg'); \
print(p['options']['install_requires'], *map(p['options.extras_require'].__getitem__, '${EXTRAS}'.split()))" > needs.txt \
 && python -m venv --without-pip /opt/crawler \
 && pip --python /opt/crawler/bin/python install --no-cache-dir -r needs.txt \
 && rm -rf /opt/crawler/lib/python3*/site-packages/selenium/webdriver/common/macos \
           /opt/crawler/lib/python3*/site-packages/selenium/webdriver/common/windows

FROM ${PYTHON_IMAGE} AS package
WORKDIR /src
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY crawler crawler
COPY tasks tasks
COPY config config
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM ${PYTHON_IMAGE}
# Of Debian's driver the program alone: the package wants a second Chromium, with a desktop's
# libraries (0.5 GB); and of Mesa nothing: a headless Chrome draws with a library of its own (0.16 GB).
# Fonts, 25 MB: Latin, Greek, Cyrillic, Arabic, Hebrew; Chinese, Japanese and Korean; Thai, Ethiopic and those of India; emoji.
# hadolint ignore=DL3008,DL4006
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      chromium-headless-shell tini \
      fonts-dejavu-core fonts-freefont-ttf fonts-lohit-knda fonts-lohit-telu fonts-noto-color-emoji fonts-wqy-microhei \
 && apt-get download chromium-driver \
 && dpkg-deb --fsys-tarfile chromium-driver_*.deb | tar -x -C / ./usr/bin/chromedriver \
 && test -x /usr/bin/chromedriver \
 && rm -rf /usr/lib/chromium/libVkLayer_* /usr/lib/*-linux-gnu/libLLVM* /usr/lib/*-linux-gnu/libz3.so* /usr/lib/*-linux-gnu/dri \
      chromium-driver_*.deb /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
 && useradd --create-home --uid 10001 crawler \
 && install -d -o crawler -g crawler \
      /home/crawler/results /home/crawler/files /home/crawler/flower /home/crawler/beat
COPY --from=environment /opt/crawler /opt/crawler
# Itself, in small layers: all that a new version pushes and pulls.
COPY --from=package /wheels /wheels
RUN pip --python /opt/crawler/bin/python install --no-cache-dir --no-deps /wheels/*.whl
USER 10001:10001
WORKDIR /home/crawler
ENV PATH=/opt/crawler/bin:$PATH PYTHONUNBUFFERED=1 CRAWLER_HEARTBEAT_FILE=/tmp/crawler-alive \
    CRAWLER_STATE_DIR=/tmp/crawler CRAWLER_FILES_DIR=/home/crawler/files
# It reaps what Chrome leaves behind, and hands signals on.
ENTRYPOINT ["tini", "--"]
# As a list, without a shell in between: the signal to stop must reach Celery.
CMD ["celery", "-A", "crawler.tasks.app", "worker", "-Q", "crawler", "-P", "prefork", "-c", "4", "--disable-prefetch", "-E", \
     "-n", "crawler@%h", "--without-gossip", "--without-mingle", "-l", "INFO"]
