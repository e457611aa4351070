// Switches of libtorch that its C interface lacks. Each function returns 1 or 0, and -1 where libtorch refuses.

#include <ATen/Context.h>

namespace {

template <typename F>
int answered(F f) noexcept {
  try {
    return f() ? 1 : 0;
  } catch (...) {
    return -1;
  }
}

}  // namespace

extern "C" {

// Matrix products by TensorFloat-32 on GPUs that have it; convolutions do so by default.
int cpsd_set_tf32(int allowed) noexcept {
  return answered([=] {
    at::globalContext().setAllowTF32CuBLAS(allowed != 0);
    at::globalContext().setAllowTF32CuDNN(allowed != 0);
    return true;
  });
}

int cpsd_tf32() noexcept {
  return answered([] { return at::globalContext().allowTF32CuBLAS() && at::globalContext().allowTF32CuDNN(); });
}

// Operations without a deterministic form are errors from then on. Memory is not filled: nothing here reads what was not written.
int cpsd_set_deterministic(int wanted) noexcept {
  return answered([=] {
    auto& context = at::globalContext();
    context.setDeterministicCuDNN(wanted != 0);
    context.setBenchmarkCuDNN(wanted == 0);
    context.setDeterministicAlgorithms(wanted != 0, false);
    context.setDeterministicFillUninitializedMemory(false);
    return true;
  });
}

int cpsd_deterministic() noexcept {
  return answered([] {
    auto& context = at::globalContext();
    return context.deterministicCuDNN() && context.deterministicAlgorithms() && !context.benchmarkCuDNN();
  });
}
}
