# make demo | demo-classification | demo-compare | test [JOBS=2] [TESTS=folders] | test-slow | test-faults | test-soak | test-slurm | test-label-studio | soak [MINUTES=30] | bench | test-gpu, bench-gpu [WHEELS=folder] | gpu-wheels WHEELS=folder | paper-claims | docs | lint | setup. STACK=openmmlab takes openmmlab's packages and torch 2.1, in .venv-openmmlab. PYTHON=/path/to/python uses that environment as it is, instead of making one.
.PHONY: demo demo-classification demo-compare test test-gpu bench-gpu gpu-wheels gpu-setup test-slow test-faults test-soak test-slurm test-label-studio soak bench paper-claims docs lint setup check

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

demo-compare: setup  # five methods, five seeds, on features that are computed once
	$(PY) -m mmal.cli features configs/pixels_digits_isal.py --out work_dirs/features/digits
	$(PY) tools/al_compare.py configs/plans/digits_frozen.py --features work_dirs/features/digits --work-dir work_dirs/demo-compare --jobs 2

bench: setup
	$(PY) -m benchmarks.run

paper-claims: setup
	$(PY) tools/paper_claims.py

# An environment from a folder of wheels, without a network; without WHEELS, the one of all other targets.
ifdef WHEELS
GPU_PY = PYTHONPATH=$(CURDIR):$$PYTHONPATH $(CURDIR)/.venv-gpu/bin/python
gpu-setup:
	@tools/gpu_env.sh $(WHEELS)
else
GPU_PY = $(PY)
gpu-setup: setup
endif

gpu-wheels:  # on a machine with a network: what WHEELS=folder needs
	tools/gpu_wheels.sh $(WHEELS)

# What emulates more than the device; tests/gpu has the same with the real thing.
EMULATIONS_ALONE = --ignore tests/emulation/test_collectives.py --ignore tests/emulation/test_tf32.py

test-gpu: gpu-setup  # on a real GPU; without one it fails
	$(GPU_PY) tools/check_env.py --gpu
	MMAL_ACCELERATOR=cuda $(GPU_PY) -m pytest -m 'not slow' tests/gpu tests/emulation $(EMULATIONS_ALONE)

bench-gpu: gpu-setup
	$(GPU_PY) tools/check_env.py --gpu
	$(GPU_PY) -m benchmarks.run --device cuda

IN_PROCESSES = $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadfile)

test: setup  # in so many processes; files stay together, for they share what they made
	$(PY) -m pytest $(IN_PROCESSES) $(TESTS)

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
