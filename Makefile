# Needs only make and Python 3.11 or newer; everything else goes into a virtual environment.
#   make demo       set up, then plan the sample network
#   make test       set up, then check format, lint, types and layers, and run the tests
#   make pictures   plan the sample networks, and put the pictures of README and docs/ there
#   make clean      remove what these made
# Another Python: make demo PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
PLAN ?= build/pm10_germany.plan
GRID ?= build/tas_north_america.plan
BIN := $(VENV)/bin
SMALL := $(BIN)/python tools/small_png.py
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test pictures clean

demo: $(VENV)/.sensorplan
	$(BIN)/sensorplan fit sample_data/pm10_germany.nc --sparsity 0.6 --out $(PLAN) --overwrite

test: $(VENV)/.sensorplan-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy sensorplan
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

pictures: demo
	$(BIN)/sensorplan fit sample_data/tas_north_america.nc --sparsity 0.6 \
	  --out $(GRID) --overwrite
	$(SMALL) $(PLAN)/map.png docs/pm10_germany_map.png
	$(SMALL) $(PLAN)/curve.png docs/pm10_germany_curve.png
	$(SMALL) $(PLAN)/mask_history.png docs/pm10_germany_mask_history.png
	$(SMALL) $(PLAN)/error_by_lead.png docs/pm10_germany_error_by_lead.png
	$(SMALL) $(PLAN)/error_map.png docs/pm10_germany_error_map.png
	$(SMALL) $(GRID)/map.png docs/tas_north_america_map.png
	$(SMALL) $(GRID)/error_map.png docs/tas_north_america_error_map.png

$(VENV)/.sensorplan: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "sensorplan needs Python 3.11 or newer, this is " + sys.version.split()[0] + \
	  "; name another: make PYTHON=python3.12")'
	@echo "Installing sensorplan into $(VENV); the first time takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.sensorplan-test: $(VENV)/.sensorplan
	@echo "Installing the test tools into $(VENV)"
	$(PIP) --editable ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) $(PLAN) $(GRID) sensorplan.egg-info
