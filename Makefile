# Everything that Webhand needs is set up by these targets, on a machine with Python 3.11 or newer and make.

PYTHON ?= $(shell for v in 3.12 3.13 3.11; do command -v python$$v >/dev/null 2>&1 && python$$v -c 'import venv, ensurepip' 2>/dev/null && { echo python$$v; exit; }; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python

# Where it is set, every process would compile every library anew: seconds for a server, ten for a browser agent.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test faults check bench docs bundle lock clean chromium

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.ready chromium ## Set everything up and run the main job on the practice site
	@$(BIN)/webhand demo

serve: $(VENV)/.ready chromium ## Serve REST, MCP, live views and pages
	@$(BIN)/webhand serve

test: $(VENV)/.ready-dev chromium ## Set everything up and pass the tests, two files at a time
	$(BIN)/pytest -n 2

faults: $(VENV)/.ready-dev chromium ## Play every fault of docs/faults.md on every platform with the full engine
	WEBHAND_FAULTS=all $(BIN)/pytest tests/agent/platforms/test_platform_faults_full.py

check: $(VENV)/.ready-dev ## Lint, types, import contracts, fresh documents, wheel contents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m server.documents
	$(BIN)/python tests/wheel.py

bench: $(VENV)/.ready-dev chromium ## Run the benchmarks and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

docs: $(VENV)/.ready-dev ## Write the generated documents anew
	$(BIN)/python -m server.documents --write

bundle: $(VENV)/.ready-dev ## Build the wheel and the MCP bundle into dist/
	$(BIN)/python -m build_bundle

lock: ## Pin every dependency anew
	requirements/compile

clean: ## Remove what these targets made
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis server/static

chromium: $(VENV)/.ready
	@$(BIN)/python -m agent.installed $(WEBHAND_CHROMIUM)

$(UV): requirements/bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bootstrap.txt
	@touch $(UV)

$(VENV)/.ready: $(UV) requirements/runtime.txt pyproject.toml
	$(INSTALL) --require-hashes --requirement requirements/runtime.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@command -v npm >/dev/null || $(INSTALL) --require-hashes --requirement requirements/node.txt
	@$(BIN)/python server/npm.py
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements/dev.txt
	$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@touch $@
