# Set-up, the main job and the tests, from a fresh clone with Python >= 3.11 and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LINT := $(CURDIR)/$(VENV)/lint
POOL_HOME ?= $(CURDIR)/data
export POOL_HOME
export DO_NOT_TRACK := 1

.PHONY: setup spark run ui test parity lint format lock clean
.DEFAULT_GOAL := run

# The manifest each time: the account of the nights may not be allowed to write it. A run and the UI parse by themselves where they may.
setup: $(INSTALLED)
	@$(BIN)/python -W ignore -c 'from dagster_project.defs.transform import ensure_manifest; ensure_manifest()'

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Besides, for the models on Spark (docs/spark.md): pyspark comes as source, which setuptools of the first lock file packs.
spark: setup $(VENV)/.spark

$(VENV)/.spark: requirements-spark.lock requirements.lock
	@echo "Installing Spark into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --require-hashes -r requirements-spark.lock
	@touch $@

# The fictional city: its deliveries are simulated once, then every night up to the last one is processed.
run: $(INSTALLED)
	@test -d $(POOL_HOME)/landing/call || $(BIN)/pool simulate --out $(POOL_HOME)/landing
	@$(BIN)/pool run
	@$(BIN)/pool status

ui: $(INSTALLED)
	@$(BIN)/pool ui

test: setup
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The same city built on DuckDB and on Spark, every mart compared row by row.
parity: spark
	@$(BIN)/python -m benchmarks.parity

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pool sources --check
	@rm -rf $(LINT)/target/compiled && mkdir -p $(LINT)/warehouse
	@POOL_HOME=$(LINT) $(BIN)/dbt --quiet compile --no-introspect --project-dir dbt --profiles-dir dbt --target-path $(LINT)/target --log-path $(LINT)
	@PYTHONWARNINGS=ignore $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar $(LINT)/target/compiled/police_pool/models/*/*.sql

format: $(INSTALLED)
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

lock:
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-strip-extras --group dev pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-strip-extras --group spark -c requirements.lock -o requirements-spark.lock

clean:
	rm -rf $(VENV) dbt/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
