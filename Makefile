# make crawl [URL=https://…]   crawl a site (without URL: the bundled demo shop) into items.jsonl
# make check                   lint, types, and the tests that need no browser: two minutes
# make test                    run every test but the long ones
# make test-containers         build the image, run docker-compose.yml, and look at it
# All do the set-up that they need, once. `make test` has the tests of a Selenium Grid after `make
# grid`
# (Java 17 and Maven).

BIN := .venv/bin
# Tests start many processes: let none of them compile what an earlier one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: crawl grid check test test-soak containers test-containers bench bench-peers bench-steps \
        bench-start bench-long bench-frontier bench-scale lint style types docs setup clean

crawl: setup
ifdef URL
	@$(BIN)/crawler start "$$URL" -o items.jsonl --reset
else
	@$(BIN)/python examples/demo/serve.py --while $(BIN)/crawler start {} -o items.jsonl --reset
endif

# Before each commit. What is left out needs a browser, or starts workers and servers for seconds.
check: lint
	$(BIN)/pytest -m "not browser and not slow and not soak and not containers" -n 3 --dist worksteal -q

# Three at once even on two cores: tests wait for browsers and servers more than they compute.
test: setup
	$(BIN)/pytest -m "not soak and not containers" -n 3 --dist worksteal

# Half an hour; the crawls under random faults go on for MINUTES=5, or as many as one gives.
test-soak: setup
	$(BIN)/pytest -m soak $(if $(MINUTES),--minutes $(MINUTES))

# Our image, and, where no registry can be reached, images that stand in for those of others: by
# Podman or Docker, five minutes. What cannot be built is said.
containers: setup grid
	$(BIN)/python -m tests.containers.build

# docker-compose.yml with all its profiles, as containers: five minutes. Skipped where no engine
# works. CI asks no registry: what that allows and gives changes from day to day.
test-containers: setup grid
	$(BIN)/python -m tests.containers.build --if-possible $(if $(CI),--stand-ins)
	$(BIN)/pytest tests/containers -m containers

# What a crawl costs next to Chrome alone, into benchmarks/results/ and README.md: an hour.
# QUICK=1: two minutes, to the screen.
bench: setup
	$(BIN)/python -m benchmarks.pages $(if $(QUICK),--quick,--save)

# The same next to what else one would pick, which it installs into build/peers: into README.md, two
# hours. QUICK=1: five minutes, to the screen.
bench-peers: setup build/peers/ready
	$(BIN)/python -m benchmarks.pages --peers $(if $(QUICK),--quick,--save)

build/peers/ready: benchmarks/peers/requirements.txt
	rm -rf build/peers
	python3 -m venv build/peers
	build/peers/bin/pip install -q -r $<
	@touch $@

# What each step of a run costs, into docs/performance.md: a minute. QUICK=1: fewer pages, to the
# screen.
bench-steps: setup
	$(BIN)/python -m benchmarks.pages.steps $(if $(QUICK),--quick,--save)

# How long people wait after the Enter key, into docs/performance.md: a minute. QUICK=1: to the
# screen.
bench-start: setup
	$(BIN)/python -m benchmarks.start $(if $(QUICK),--quick,--save)

# A crawl of 20,000 pages, into benchmarks/results/long/latest.json and docs/performance.md: ten
# minutes.
bench-long: setup
	$(BIN)/python -m benchmarks.pages.long --save

# What the frontier costs, into docs/scale.md: half an hour. QUICK=1: a minute, small sizes, to
# the screen.
bench-frontier: setup
	$(BIN)/python -m benchmarks.frontier $(if $(QUICK),--quick)

# How far one machine goes with more processes, into docs/performance.md: six minutes. QUICK=1:
# half a minute, to the screen.
bench-scale: setup
	$(BIN)/python -m benchmarks.scale $(if $(QUICK),--quick,--save)

# A Selenium Grid for tests, into build/grid: 59 MB from Maven Central.
grid: build/grid/ready

build/grid/ready: tests/grid/pom.xml
	rm -rf build/grid
	mvn -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$(CURDIR)/build/grid"
	@touch $@

lint: style types

style: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The package as setup.cfg installs it: tasks/ and config/ inside crawler/. Type checkers do not
# read that mapping, but they follow links.
types: setup
	@rm -rf build/types && mkdir -p build/types/crawler && ln -s "$(CURDIR)"/crawler/* "$(CURDIR)/tasks" "$(CURDIR)/config" build/types/crawler/
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache

docs: setup
	$(BIN)/python docs/make_settings.py
	$(BIN)/python docs/make_failures.py
	$(BIN)/python docs/make_hooks.py
	$(BIN)/python docs/make_captures.py

setup: .venv/ready

.venv/ready: setup.cfg pyproject.toml .ci/setup
	@.ci/setup

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
