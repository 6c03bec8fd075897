# make demo | demo-classification | test | test-faults | test-slurm | soak [MINUTES=30] | bench | paper-claims | lint | setup. PYTHON=/path/to/python uses that environment as it is, instead of making .venv.
.PHONY: demo demo-classification test test-faults test-slurm soak bench paper-claims lint setup check

ifdef PYTHON
PY := PYTHONPATH=$(CURDIR):$$PYTHONPATH $(PYTHON)
setup:
	@$(PY) tools/check_env.py
else
PY = $(if $(filter 0,$(shell sed -n s/^CUDA=//p .venv/.options 2>/dev/null)),CUDA_VISIBLE_DEVICES=) $(CURDIR)/.venv/bin/python
setup:
	@tools/setup_env.sh
endif

demo: setup
	$(PY) tools/al_train.py configs/fcos_digits_isal.py --work-dir work_dirs/demo --resume

demo-classification: setup
	$(PY) tools/al_train.py configs/resnet_digits_isal.py --work-dir work_dirs/demo-classification --resume

bench: setup
	$(PY) -m benchmarks.run

paper-claims: setup
	$(PY) tools/paper_claims.py

test: setup
	$(PY) -m pytest

test-slurm: setup  # needs slurm and munge, and says so
	$(PY) -m pytest -m slurm tests/slurm

test-faults: setup
	$(PY) -m pytest -m faults

soak: setup
	$(PY) -m benchmarks.soak --minutes $(or $(MINUTES),30)

lint: setup
	$(PY) -m ruff check .

check: setup
	$(PY) tools/check_env.py
