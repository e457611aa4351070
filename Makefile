# cpsd: `make quickstart` shows the whole method, `make test` checks everything. `make` lists the targets.

.PHONY: help quickstart results test build install uninstall fuzz torture tutorial audit wheel bench bench-all bench-peers bench-training peers-python training-python libtorch weights clean-runs gpu-check

help:
	@echo "make quickstart  bring libtorch and weights, build, run the whole method on emoji-scenes"
	@echo "make results     train what docs/results.md shows of the method and write its files and tables; PHOTOS=DIR: the photographs too"
	@echo "                 (some five hours on two idle cores, by its parts, two of them for the photographs; ONLY=ablation_k,departures: these parts)"
	@echo "make test        bring what is missing, build, run every test, check formatting and lints"
	@echo "make build       bring libtorch, build target/release/cpsd (libtorch for the GPU or CPU that is here; CPSD_LIBTORCH=cpu or cuda"
	@echo "                 asks for one; CPSD_CUDA=cu126 for older cards and drivers)"
	@echo "make install     program, manual pages and completions into PREFIX (~/.local); LIBTORCH_COPY=1 also libtorch; make uninstall"
	@echo "make wheel       build target/wheels/cpsd-*.whl for pip: the program beside torch's package, and a Python module (docs/python.md)"
	@echo "make audit       licences, duplicates, sources and advisories of all dependencies (brings cargo-deny the first time)"
	@echo "make gpu-check   whether this machine's GPU does what docs/gpu.md says, as a page for a report (half an hour; on a CPU what applies)"
	@echo "make bench-all   every benchmark beside its peer, written as docs/benchmarks.md (an hour and a half; ONLY=load,language: a part)"
	@echo "make bench       criterion benches of the label graph and the prompt"
	@echo "make fuzz        100,000 random and mutated inputs, lines and files: no panic, no hang, no 4 GiB (an hour; CPSD_FUZZ_SEED, _COUNT)"
	@echo "make torture     1,000 kills at random moments: the same results, nothing left over (an hour; CPSD_TORTURE_SEED, _KILLS)"
	@echo "make tutorial    run docs/tutorial.in.md and write docs/tutorial.md with its output and figures, and as a notebook (two minutes)"
	@echo "make bench-peers the same work side by side with scipy, pandas, scikit-learn, pycocotools (10 minutes)"
	@echo "make bench-training  training side by side with PyTorch and torchvision (15 minutes)"
	@echo "make weights     bring EfficientNet-Lite0's ImageNet weights into weights/"
	@echo "make clean-runs  forget all trainings and pictures (runs/ and out/)"

quickstart: build weights
	@echo "== The whole method on emoji-scenes: about three minutes the first time, seconds after that"
	target/release/cpsd script scripts/quickstart.rhai

# What the run store holds is not trained again: stopped, it goes on where it was. PHOTOS=DIR adds the part on photographs, ONLY=ablation_k,departures
# leaves all else out.
results: build weights
	@PHOTOS="$(PHOTOS)" ONLY="$(ONLY)" sh setup/results.sh

build: libtorch
	@echo "== Building cpsd: 13 minutes the first time on two cores (tch and polars are large), seconds after that"
	cargo build --release

PREFIX ?= $(HOME)/.local
install: build
	@sh setup/install.sh install "$(PREFIX)"

uninstall:
	@sh setup/install.sh uninstall "$(PREFIX)"

test: libtorch
	@sh setup/weights.sh 0 1 2
	@sh setup/pictures.sh
	@sh setup/tensorboard.sh
	@sh setup/chromium.sh
	@sh setup/jupyter.sh
	@sh setup/bindfs.sh
	@sh setup/slurm.sh
	@sh setup/editors.sh
	@echo "== Building and running the tests: 20 minutes the first time on two cores, two after that"
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --release --no-fail-fast; \
	else \
		cargo test --release --no-fail-fast; \
	fi
	@sh setup/wheel_test.sh
	@echo "== Formatting and lints: five minutes the first time on two cores, seconds after that"
	@if cargo fmt --version >/dev/null 2>&1; then cargo fmt --check; \
		else echo "== skipped: rustfmt is absent (rustup component add rustfmt)"; fi
	@if cargo clippy --version >/dev/null 2>&1; then cargo clippy --release --all-targets -- -D warnings; \
		else echo "== skipped: clippy is absent (rustup component add clippy)"; fi

# Nightly. Every night another seed: what it was is printed, and the same seed gives the same inputs. Of either kind, lines of
# the language and files, there are CPSD_FUZZ_COUNT.
fuzz: libtorch
	@echo "== Fuzzing the language and the readers of files: 100,000 inputs take about an hour"
	CPSD_FUZZ_COUNT=$${CPSD_FUZZ_COUNT:-50000} CPSD_FUZZ_SEED=$${CPSD_FUZZ_SEED:-$$(date +%Y%m%d)} cargo test --release --test fuzz -- --nocapture

torture: libtorch
	@echo "== Killing trainings, workers, reports and savings at random moments: 1,000 kills take about an hour"
	CPSD_TORTURE_KILLS=$${CPSD_TORTURE_KILLS:-1000} CPSD_TORTURE_SEED=$${CPSD_TORTURE_SEED:-$$(date +%Y%m%d)} cargo test --release --test processes kills_at_random_moments -- --nocapture

gpu-check: build
	target/release/cpsd gpu-check --page out/gpu-check.md

tutorial: build weights
	target/release/cpsd doc --weave docs/tutorial.in.md --into docs/tutorial.md
	@sh setup/jupyter.sh
	target/release/cpsd doc --weave docs/tutorial.in.md --into target/tutorial/tutorial.ipynb
	target/release/cpsd kernel install --prefix target/jupyter
	rm -rf target/tutorial/here && mkdir target/tutorial/here
	cd target/tutorial/here && CPSD_WEIGHTS=$(CURDIR)/weights ../../jupyter/bin/python $(CURDIR)/tests/kernel/tutorial.py ../tutorial.ipynb $(CURDIR)/docs/tutorial.ipynb

# CPSD_LIBTORCH=cpu make wheel, on a machine with a GPU.
wheel: build
	@sh setup/wheel.sh

audit:
	@sh setup/audit.sh

bench: libtorch
	cargo bench --bench graph
	cargo bench --bench prompt

# Every benchmark beside its peer, as docs/benchmarks.md. ONLY=load,language: a part; CPSD: a program that is built already.
PEERS ?= target/peers
ifndef CPSD
bench-all: build
endif
bench-all:
	@python3 benches/peers/bench_all.py --only "$(ONLY)" --peers "$(PEERS)" --cpsd "$(or $(CPSD),target/release/cpsd)"

bench-peers: bench-built-peers peers-python
	$(PEERS)/venv/bin/python benches/peers/run.py $$(cat $(PEERS)/built/peers) $(PEERS)/data

bench-training: bench-built-training training-python
	$(PEERS)/torch/bin/python benches/peers/training.py $$(cat $(PEERS)/built/training) $(PEERS)/pictures

# The program of a bench; where it is stands in a file.
bench-built-%: libtorch
	@mkdir -p $(PEERS)/built
	cargo build --release --bench $* --message-format=json > $(PEERS)/built/$*.json
	sed -n 's/.*"name":"$*".*"executable":"\([^"]*\)".*/\1/p' $(PEERS)/built/$*.json > $(PEERS)/built/$*

# Virtual environments of their own, beside the build.
peers-python:
	test -x $(PEERS)/venv/bin/pip || python3 -m venv $(PEERS)/venv
	$(PEERS)/venv/bin/pip install --quiet -r benches/peers/requirements.txt

training-python:
	test -x $(PEERS)/torch/bin/pip || python3 -m venv $(PEERS)/torch
	$(PEERS)/torch/bin/pip install --quiet -r benches/peers/requirements-training.txt

libtorch:
	@sh setup/libtorch.sh

weights:
	@sh setup/weights.sh

clean-runs:
	rm -rf runs out
