# make demo: set up, prove the small suite, print the gap table.
# make figures: run the sweeps.
# make suite: prove every instance of the suite small.
# make test: set up, lint, type check, test.
# make docs: the documentation as a site in build/site.
# make test-wheel: the tests against the wheel built from the source distribution.
# make test-record: the tests that need torch and transformers.
# make test-oldest: the tests with the oldest versions that pyproject.toml allows.

# The newest Python on the machine that runs: a version manager may name some that do not.
PYTHON ?= $(shell for minor in $$(seq 40 -1 11); do \
  python3.$$minor -c "import ensurepip, venv" 2>/dev/null && echo python3.$$minor && exit; done; \
  python3 -c "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && echo python3)
# The oldest libraries have no wheels for the newest Python.
PYTHON_OLDEST ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
LINKS := $(addprefix .typing/expertcache/,$(wildcard *.py *.pyi) py.typed $(patsubst %/__init__.py,%,$(wildcard */__init__.py)))

.PHONY: demo docs figures suite test test-record test-wheel test-oldest lint types clean

demo: $(VENV)/installed
	$(BIN)/expertcache study benchmarks/studies/small.toml --output demo

suite: $(VENV)/installed
	$(BIN)/expertcache study small --methods milp --time-limit 600 --jobs 2 --output build/small

# All sweeps but that of trace.toml, which needs recorded files beside it.
SWEEPS := capacity cloud coactivation local servers skew top-k users
figures: $(VENV)/installed
	for name in $(SWEEPS); do \
	  $(BIN)/expertcache study benchmarks/studies/$$name.toml --jobs 2 --output build/figures/$$name || exit; \
	done

docs: $(VENV)/installed-docs
	$(BIN)/python docs/site/build.py build/site

test: lint types
	$(BIN)/python -m pytest -n auto --dist worksteal

# The same tests against the wheel built from the source distribution, in an environment of its own.
test-wheel: $(VENV)/installed-test
	rm -rf build/dist $(VENV)-wheel
	$(PYTHON) -m venv $(VENV)-wheel
	$(BIN)/uv build --quiet --out-dir build/dist .
	$(BIN)/uv pip install --quiet --python $(VENV)-wheel/bin/python "$$(ls build/dist/*.whl)[test]"
	$(VENV)-wheel/bin/python -m pytest -n auto --dist worksteal $(TESTS)

# The extra is large: it has an environment of its own.
test-record: $(VENV)-record/installed
	$(VENV)-record/bin/python -m pytest tests/routing

$(VENV)-record/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-record
	$(VENV)-record/bin/python -m pip install --quiet --editable ".[test,record]"
	touch $@

# uv is the installer that can choose the oldest versions.
test-oldest: $(VENV)-oldest/installed
	$(VENV)-oldest/bin/python -m pytest -n auto --dist worksteal $(TESTS)

$(VENV)-oldest/installed: pyproject.toml $(VENV)/installed-test
	$(PYTHON_OLDEST) -m venv $(VENV)-oldest
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest/bin/python \
	  --resolution lowest-direct --editable ".[test]"
	touch $@

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

# Type checkers do not follow the mapping of the root to the package: links do.
types: $(VENV)/installed-test $(LINKS)
	$(BIN)/mypy -p expertcache

.typing/expertcache/%:
	@mkdir -p $(@D)
	@ln -sfn ../../$* $@

$(VENV)/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: needs Python 3.11 or later: none was found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-wheel $(VENV)-oldest $(VENV)-record .typing build demo
