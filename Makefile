# `make demo` and `make test` install what they need first; see tools/setup.py. PYTHON may name another Python of 3.11 or newer.
PYTHON ?= python3
bin := .venv/bin
run := $(bin)/python -m

.PHONY: help demo test lint types soak bench lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  make \1\t\2/p' Makefile

demo:  ## the example portfolio, end to end, then the service; ARGS=--once stops after the summary
	@$(PYTHON) tools/setup.py
	@exec $(bin)/vendor-mgmt demo $(ARGS)

test:  ## lint, types and all tests but the long ones
	@$(PYTHON) tools/setup.py --tests
	@$(bin)/ruff check
	@$(run) mypy
	@exec $(run) pytest --hypothesis-profile=ci $(ARGS)

lint:  ## ruff alone
	@$(PYTHON) tools/setup.py --tests
	@$(bin)/ruff check $(ARGS)

types:  ## mypy alone
	@$(PYTHON) tools/setup.py --tests
	@$(run) mypy $(ARGS)

soak:  ## long trials: kills, races, many days of schedules
	@$(PYTHON) tools/setup.py --tests
	@exec $(run) pytest tests/soak --timeout=0 $(ARGS)

bench:  ## the measurements that stand in the README
	@$(PYTHON) tools/setup.py --tests
	@exec $(run) pytest tests/benchmarks --timeout=0 -s $(ARGS)

lock:  ## write the lock files anew; ARGS=--upgrade takes the newest versions
	@$(PYTHON) tools/lock.py $(ARGS)

clean:  ## remove what set-up and the tools made; data stays
	rm -rf .venv node_modules vendor_mgmt/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find contracts scorecards vendor_mgmt migrations tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
