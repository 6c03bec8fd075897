# make demo | demo-classification | test [JOBS=2] | test-slow | test-faults | test-soak | test-slurm | test-label-studio | soak [MINUTES=30] | bench | paper-claims | docs | lint | setup. STACK=openmmlab takes openmmlab's packages and torch 2.1, in .venv-openmmlab. PYTHON=/path/to/python uses that environment as it is, instead of making one.
.PHONY: demo demo-classification test test-slow test-faults test-soak test-slurm test-label-studio soak bench paper-claims docs lint setup check

ifdef PYTHON
PY := PYTHONPATH=$(CURDIR):$$PYTHONPATH $(PYTHON)
setup:
	@$(PY) tools/check_env.py
DOCS_SETUP = { echo 'docs: this environment lacks what builds them: pip install -r requirements/docs.txt' >&2; exit 1; }
else
STACK ?= onedl
VENV := $(if $(filter-out onedl,$(STACK)),.venv-$(STACK),.venv)
PY = $(if $(filter 0,$(shell sed -n s/^CUDA=//p $(VENV)/.options 2>/dev/null)),CUDA_VISIBLE_DEVICES=) $(CURDIR)/$(VENV)/bin/python
setup:
	@STACK=$(STACK) tools/setup_env.sh
DOCS_SETUP = $(PY) -m pip --disable-pip-version-check install -q -r requirements/docs.txt
JOBS ?= 2
endif

demo: setup
	$(PY) tools/al_train.py configs/fcos_digits_isal.py --work-dir work_dirs/demo --resume

demo-classification: setup
	$(PY) tools/al_train.py configs/resnet_digits_isal.py --work-dir work_dirs/demo-classification --resume

bench: setup
	$(PY) -m benchmarks.run

paper-claims: setup
	$(PY) tools/paper_claims.py

IN_PROCESSES = $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile)

test: setup  # in so many processes; files stay together, for they share what they made
	$(PY) -m pytest $(IN_PROCESSES)

test-slow: setup  # whole programs in several processes, and whatever else takes long
	$(PY) -m pytest -m slow $(IN_PROCESSES)

test-slurm: setup  # needs slurm and munge, and says so
	$(PY) -m pytest -m slurm tests/slurm

test-label-studio: setup  # installs the server into .venv-label-studio on first use
	tests/label_studio/install.sh
	$(PY) -m pytest -m label_studio tests/label_studio

test-faults: setup
	$(PY) -m pytest -m faults

test-soak: setup  # many rounds in one process
	$(PY) -m pytest -m soak

soak: setup
	$(PY) -m benchmarks.soak --minutes $(or $(MINUTES),30)

docs: setup  # what only this needs is installed on first use
	@$(PY) -c 'import furo, latex2mathml, myst_parser, sphinx' 2>/dev/null || $(DOCS_SETUP)
	$(PY) -m sphinx -q -E -W --keep-going -c docs -d docs/_build/doctrees . docs/_build/html
	@echo 'Read docs/_build/html/index.html'

lint: setup  # style, format, the oldest Python, types, and which package may import which
	$(PY) -m ruff check .
	$(PY) -m ruff format --check mmal tools benchmarks
	$(PY) -c 'from vermin import main; main()' --target=3.10- --violations --quiet --exclude "bytes.decode(errors)" --exclude "str.decode(errors)" mmal tools benchmarks
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

check: setup
	$(PY) tools/check_env.py
