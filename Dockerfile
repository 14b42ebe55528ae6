# One image for everything that is ours: workers, Flower, and the command line (`docker run --rm -it IMAGE crawler --help`).
# Chrome is best taken from a Grid (CRAWLER_CHROME_URL). The one in here runs with its sandbox only where the container may make user
# namespaces, which Docker's own seccomp profile forbids: see docs/deployment.md.
# Debian 12 and Python 3.12: both have every package as a binary (a headless Chrome there, an embedded Redis here).
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY crawler crawler
COPY tasks tasks
COPY config config
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium-headless-shell chromium-driver fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 crawler
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[embedded,flower,metrics]" && rm -rf /wheels
COPY config/flowerconfig.py /etc/crawler/flowerconfig.py
RUN install -d -o crawler -g crawler /home/crawler/flower
USER crawler
WORKDIR /home/crawler
ENV PYTHONUNBUFFERED=1 CRAWLER_HEARTBEAT_FILE=/tmp/crawler-alive
# As a list, without a shell in between: the signal to stop must reach Celery.
CMD ["celery", "-A", "crawler.tasks.app", "worker", "-Q", "crawler", "-P", "prefork", "-c", "4", "--disable-prefetch", "-E", \
     "-n", "crawler@%h", "--without-gossip", "--without-mingle", "-l", "INFO"]
