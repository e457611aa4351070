"""jupyter_kernel_test: the messages of this kernel against Jupyter's specification. Prints what was skipped."""

import json
import sys
import unittest

import jupyter_kernel_test


class Conformance(jupyter_kernel_test.KernelTests):
    kernel_name = "cpsd"
    language_name = "rhai"
    file_extension = ".rhai"
    code_hello_world = 'print("hello, world")'
    code_stderr = 'debug("a warning")'
    completion_samples = [
        {"text": "spectral_part", "matches": {"spectral_partition"}},
        {"text": 'affinity(counts, "d', "matches": {"dis"}},
        {"text": "let x = 1;\nspectral_partition(a, 2, #{rest", "matches": {"restarts: "}},
        {"text": "größe + labelled_im"},
    ]
    complete_code_samples = ["1 + 2", "fn f(x) { x }", 'print("a")', "?train_teacher", "let a = [\n  1,\n  2\n];"]
    incomplete_code_samples = ["fn f(x) {", "f(1,", "let x =", "1 +", "let s = `a"]
    invalid_code_samples = ["let 1 = 2", "f(1))", 'print("a)']
    code_generate_error = "nothing_known + 1"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2]", "result": "[1, 2]"},
        {"code": 'table([#{label: "cat", n: 3}])', "mime": "text/html"},
        {"code": "synthetic_labels(#{images: 30, labels: 8})", "mime": "text/html"},
        {"code": "metrics(tensor([[0.9, 0.2], [0.4, 0.7]]), tensor([[1.0, 0.0], [0.0, 1.0]]))", "mime": "text/html"},
        {"code": "plot([1.0, 3.0, 2.0])", "mime": "image/svg+xml"},
        {"code": "plot([1.0, 3.0, 2.0]);\nplot([2.0, 1.0])", "mime": "image/png"},
    ]
    code_display_data = [
        {"code": 'print(table([#{label: "cat", n: 3}]))', "mime": "text/html"},
        {"code": "[plot([1.0, 2.0]), plot([2.0, 1.0])]", "mime": "image/png"},
    ]
    code_history_pattern = "6 * ?"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "spectral_partition"


if __name__ == "__main__":
    program = unittest.main(argv=["conformance"], exit=False, verbosity=2)
    skipped = [test.id().split(".")[-1] for test, _ in program.result.skipped]
    print(json.dumps({"run": program.result.testsRun, "skipped": skipped}))
    sys.exit(not program.result.wasSuccessful())
