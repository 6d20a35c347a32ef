# make demo: train on synthetic scenes, then look at demo/index.html.   make test: every check of the repository.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
# Two test processes on one thread each are faster than one process on two threads; tests that measure time run alone.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: demo test test-latest docs readme lab app web bench tables study street-model perceptual-network photo-models run clean export

demo: $(READY)
	$(BIN)/pix2pixhd demo

test: $(READY)
	$(PYTEST) -n 2 --dist loadscope --no-loadscope-reorder --durations 0 --durations-min 1 -m 'not alone'
	$(BIN)/python -m pytest --durations 0 --durations-min 1 -m alone

test-latest:
	$(PYTHON) tests/latest.py

docs: $(READY)
	$(BIN)/python tools/build_docs.py
	$(BIN)/python tools/colab.py

readme: $(READY)
	$(BIN)/python tools/build_readme.py

lab: $(READY)
	$(BIN)/jupyter lab nbs

app: $(READY)
	cd nbs/apps/pages && JUPYTER_PATH=$$PWD $(CURDIR)/$(BIN)/voila .

web: $(READY)
	$(BIN)/python web/build.py

bench: $(READY)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/gpu.py
	$(BIN)/python benchmarks/page.py

tables: $(READY)
	$(BIN)/python benchmarks/paper_tables.py 1 2 3 4 5 6 7 8 --scale quick
	$(BIN)/python benchmarks/tables_page.py

study: $(READY)
	$(BIN)/python tools/study.py $(DATA) $(MODELS)

street-model: $(READY)
	$(BIN)/python tools/street_model.py

perceptual-network: $(READY)
	$(BIN)/python tools/perceptual_network.py $(DATA)

photo-models: $(READY)
	$(BIN)/python tools/photo_models.py facades $(DATA) photo_models/facades
	$(BIN)/python tools/photo_models.py streets $(DATA) photo_models/streets

run: $(READY)
	$(BIN)/python tools/run_notebook.py $(NB)

clean: $(READY)
	$(BIN)/python tools/clean_notebooks.py

export: $(READY)
	$(BIN)/nbdev_export
	$(BIN)/python tools/packages.py

# Without --no-compile pip compiles 17,000 files, a minute of it for what nobody imports.
$(READY): settings.ini setup.py
	@echo 'Setting up .venv: a few minutes and about 6 GB, most of it PyTorch.'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --no-compile --disable-pip-version-check -e '.[dev]'
	touch $@
