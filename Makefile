VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: repro test teachers bench soak

repro: $(READY)  ## install if needed, then run every stage on the sample source
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro
	@$(BIN)/hpp results

test: $(READY)  ## install if needed, then run the whole test suite
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadgroup

teachers: $(READY)  ## refit the sample teachers in presets/teachers (about an hour and a half on two cores)
	$(BIN)/python presets/teachers/refit.py

bench: $(READY)  ## measure speed, half an hour on two cores; writes benchmarks/results and docs/performance.md
	$(BIN)/python benchmarks/run.py bench

soak: $(READY)  ## measure memory over 20,000 people and kill every stage ten times; an hour and a half on two cores
	$(BIN)/python benchmarks/run.py soak

# A stamp, so that a second call installs nothing until the requirements change.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
