# Two commands matter to a new user: `make demo` and `make test`. Both set everything up themselves.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
STAMP := .venv/.installed
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export COEXPOSURE_HOME := $(CURDIR)

.PHONY: demo test lint check truth bench bench-large validation webserver clean
demo: $(STAMP)
	.venv/bin/coexposure demo

# In one process: make test PYTEST_WORKERS=0
PYTEST_WORKERS ?= auto --maxprocesses 4
test: $(STAMP)
	.venv/bin/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# What .ci/run and the pre-commit hooks run besides the tests.
lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/sqlfluff lint --processes 2 sql

check: lint test

# Regenerates the digits that R gives. Needs R with the packages survival, epitools, MASS, brglm2,
# sandwich, metafor, epiR, etm, cmprsk, mets and numDeriv (Debian: r-cran-*); leaves no diff.
truth:
	cd tests/truth && for script in *.R; do Rscript --vanilla $$script > $${script%.R}.json || exit 1; done
	git diff --exit-code --stat -- tests/truth

bench: $(STAMP)
	.venv/bin/python -m benchmarks.end_to_end --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.recovery --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.sampling --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.competing_risks --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.survival --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.pkpd --write docs/benchmarks.md
	.venv/bin/python -m benchmarks.exposure --rows 1000000 10000000 --write docs/benchmarks.md

# 100 million prescriptions under a memory limit: some 5 minutes and 6 GB of temporary space.
bench-large: $(STAMP)
	.venv/bin/python -m benchmarks.exposure --rows 100000000 --rounds 1 --memory-limit 2GB \
	  --ways sort episode_sql interval_sql --write docs/benchmarks.md --part exposure_100m

# 331 simulated worlds through the matched analyses: 47 minutes on two busy cores. A stopped run goes on where it was.
validation: $(STAMP)
	.venv/bin/python -m benchmarks.validation --folder out/validation --write docs/validation.md

webserver: $(STAMP)
	DAGSTER_HOME=$(CURDIR) .venv/bin/dagster dev -m pipelines.definitions

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.version_info >= (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .uv || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): pyproject.toml uv.lock | $(UV)
	$(UV) sync --quiet --locked --python $(PYTHON)
	@touch $@

clean:
	rm -rf .venv .uv out
