# The only list of commands; CI and the README only call it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install run test chaos check fmt bench soak lock audit sbom

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= python3
# What the caller has set for other Pythons must not reach this one.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install: $(STAMP) ## Make .venv with both programs and the tools

run: $(STAMP) ## Start everything on this machine: trimtab dev $(ARGS)
	@exec $(BIN)/trimtab dev $(ARGS)

test: $(STAMP) ## Run the whole test suite against real servers: pytest $(ARGS)
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: $(STAMP) ## Only the tests that kill servers and processes, five times over: pytest tests/chaos $(ARGS)
	@for round in 1 2 3 4 5; do $(BIN)/python -m pytest -n 2 --dist loadfile tests/chaos $(ARGS) || exit 1; done

check: $(STAMP) ## What CI checks before the tests: form, lint, types, imports, generated documents
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m control_plane.api.reference --check
	$(BIN)/python -m control_plane.cli.reference --check
	$(BIN)/python -m agent.settings.reference --check

fmt: $(STAMP) ## Format, and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(STAMP) ## Measure: python -m bench $(ARGS)
	@exec $(BIN)/python -m bench $(ARGS)

soak: $(STAMP) ## A million changes to one agent, with all that may go wrong: does anything grow?
	@exec $(BIN)/python -m bench --only soak $(ARGS)

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --only-binary :all: --quiet

lock: $(STAMP) ## Lock the dependencies anew, with hashes; UPGRADE=--upgrade takes the newest
	$(LOCK) $(UPGRADE) --extra agent --extra templates -o requirements/agent.txt
	$(LOCK) $(UPGRADE) --extra control-plane -o requirements/control-plane.txt
	$(LOCK) $(UPGRADE) --extra agent --extra templates --extra control-plane --extra embedded --group test --group lint -o requirements/dev.txt

SHIPPED := agent control-plane
sbom: $(STAMP) ## Write what each image is made of, with hashes: dist/trimtab-*.cdx.json (CycloneDX)
	@mkdir -p dist
	@for each in $(SHIPPED); do \
		PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
			--of JSON -o dist/trimtab-$$each.cdx.json requirements/$$each.txt || exit 1; \
		echo "dist/trimtab-$$each.cdx.json"; \
	done

audit: $(STAMP) ## Ask PyPI whether anything that is locked has a known vulnerability; what could not be asked fails too
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
		$(foreach each,$(SHIPPED) build,-r requirements/$(each).txt) || { \
		echo "trimtab: not audited, or not clean. It takes https://pypi.org (JSON API); 'make test' checks the locks without it." >&2; \
		exit 1; }

# Of what pip says: a line now and then, and all that went wrong.
define PROGRESS
/^(Collecting|Requirement already)/ { if (++n % 20 == 0) print "  " n " packages found" }
/^Installing collected/ { print "  unpacking " n " packages" }
/^(ERROR|error|WARNING: Retrying)|^ +[a-z].* from .*hash/ { print > "/dev/stderr" }
/^FAILED$$/ { failed = 1 }
{ fflush() }
END { exit failed }
endef
export PROGRESS

# A virtual environment cannot be moved: where the stamp was made in another place, all of it is made anew.
HERE := $(shell pwd)
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(HERE))
.PHONY: $(STAMP)
endif

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "trimtab: Python 3.11 or later is needed, '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo missing)." >&2; \
		echo "         Name another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "trimtab: this Python has no venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@[ ! -f $(STAMP) ] || [ "$$(cat $(STAMP))" = "$$(pwd)" ] || rm -rf $(VENV)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		echo "Making the virtual environment in $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing the locked dependencies (the first time, this takes a minute)"
	@{ $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
		--require-hashes --only-binary :all: -r requirements/dev.txt 2>&1 || echo "FAILED"; } | awk "$$PROGRESS"
	@echo "Installing trimtab and trimtab-agent"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e .
	@pwd > $(STAMP)
