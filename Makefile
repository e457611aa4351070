# cpsd: `make quickstart` shows the whole method, `make test` checks everything. `make` lists the targets.

.PHONY: help quickstart test build libtorch weights clean-runs

help:
	@echo "make quickstart  bring libtorch and weights, build, run the whole method on emoji-scenes"
	@echo "make test        bring what is missing, build, run every test"
	@echo "make build       bring libtorch, build target/release/cpsd"
	@echo "make weights     bring EfficientNet-Lite0's ImageNet weights into weights/"
	@echo "make clean-runs  forget all trainings and pictures (runs/ and out/)"

quickstart: build weights
	@echo "== The whole method on emoji-scenes: about three minutes the first time, seconds after that"
	target/release/cpsd script scripts/quickstart.rhai

build: libtorch
	@echo "== Building cpsd: 15 minutes the first time on two cores (tch and polars are large), seconds after that"
	cargo build --release

test: libtorch weights
	@echo "== Building and running the tests: 20 minutes the first time on two cores, two after that"
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --release; \
	else \
		cargo test --release; \
	fi

libtorch:
	@sh setup/libtorch.sh

weights:
	@sh setup/weights.sh

clean-runs:
	rm -rf runs out
