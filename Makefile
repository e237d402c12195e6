# Two commands for a fresh machine: `make demo` and `make test`. Everything else is for people who work on the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=
SELECTED := tests/core tests/drivers tests/aws tests/stores tests/web tests/doors tests/signin tests/cli tests/test_public_api.py

.PHONY: demo test test-fast lint types tests browser fuzz prove bench api partitions lowest versions lock audit mutants clean

demo: $(STAMP)  ## serve the sample app on the embedded stack; ARGS=--script runs the whole journey by itself
	@$(BIN)/python -m examples.demo $(ARGS)

test: lint types browser tests  ## everything that must pass before a commit

lint: $(STAMP)
	$(BIN)/ruff check src tests bench examples
	$(BIN)/ruff format --check src tests bench examples

types: $(STAMP)  ## strict types inside, and a known type for every public symbol
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/typing/test_completeness.py

tests: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(STAMP)  ## core, drivers, aws and web without the embedded stack, on every core: under a minute
	$(BIN)/python -m pytest -q -n logical -m "not stack" tests/core tests/drivers tests/aws tests/web $(ARGS)

browser: $(STAMP)  ## Chromium for the browser tests: installed where that is possible, else a word on how to
	@sh tests/browser/chromium.sh $(BIN)/python

fuzz: $(STAMP)  ## every parser against 100,000 generated inputs, a process for each core; an hour and a half on two
	FUZZ_EXAMPLES=100000 $(BIN)/python -m pytest tests/fuzz -n logical --maxschedchunk 1 $(ARGS)

prove: $(STAMP)  ## the long form of the proof, hours on two cores; ARGS=--without-mutants takes 40 minutes; writes docs/proof.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	$(BIN)/python tests/prove.py $(ARGS)

mutants: $(STAMP)  ## small changes of the security code, each of which a test must notice; ARGS="--digits 05" takes a fifth
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	$(BIN)/python tests/mutants.py $(ARGS)

bench: $(STAMP)  ## ratios against boto3 + PyJWT in one run
	$(BIN)/python bench/run.py $(ARGS)

api: $(STAMP)  ## docs/api.md, generated again from the docstrings of the public names
	$(BIN)/python tests/api/page.py

partitions: $(STAMP)  ## AWS's partitions and endpoints, generated again from the installed botocore
	$(BIN)/python tests/partitions.py

lowest: $(STAMP)  ## the tests on the lowest version of everything that pyproject.toml declares; ARGS=tests/aws selects
	# A deprecation in an old framework beside a new dependency of its own is no fault of ours.
	$(BIN)/python -m pip install --quiet uv
	$(PYTHON) -m venv --clear $(VENV)-lowest
	$(BIN)/uv pip install --quiet --python $(VENV)-lowest --require-hashes --no-deps -r requirements/lowest.txt
	$(BIN)/uv pip install --quiet --python $(VENV)-lowest --no-deps --no-build-isolation --editable .
	$(VENV)-lowest/bin/python -m pytest -W default::DeprecationWarning $(or $(ARGS),$(SELECTED))

versions: $(STAMP)  ## the tests on each Python named by VERSIONS, like VERSIONS="/usr/bin/python3.12 python3.13"
	$(BIN)/python -m pip install --quiet uv
	@set -e; for python in $(VERSIONS); do \
		$$python -m venv --clear $(VENV)-version; \
		$(BIN)/uv pip install --quiet --python $(VENV)-version --require-hashes -r requirements/dev.txt; \
		$(BIN)/uv pip install --quiet --python $(VENV)-version --no-deps --no-build-isolation --editable .; \
		$(VENV)-version/bin/python --version; \
		$(VENV)-version/bin/python -m pytest $(or $(ARGS),$(SELECTED)); \
	done

lock: $(STAMP)  ## pin the development requirements, with hashes and without addresses, and the lowest ones
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade requirements/dev.in -o requirements/dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade requirements/audit.in -o requirements/audit.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --no-annotate --upgrade requirements/mutants.in -o requirements/mutants.txt
	$(BIN)/python requirements/lowest.py > /dev/null

# --strict: a package that no advisory database knows fails, so that a registry without advisories does not pass for a clean one.
audit: requirements/audit.txt  ## published vulnerabilities of every locked version; run it weekly. ARGS="-s osv" asks OSV
	$(PYTHON) -m venv --clear $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@set -e; for locked in lowest dev audit; do \
		echo "requirements/$$locked.txt"; \
		$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/$$locked.txt $(ARGS) || { \
			echo "Raise the version, or read above which database did not answer: pip-audit needs PyPI's or OSV's advisories"; \
			exit 1; \
		}; \
	done

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-version $(VENV)-audit .mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
