// The updates of the optimisers that are otherwise some ten operations of libtorch on whole buffers, in one pass: every value is read and
// written once, by the same arithmetic in the same order. Tensors are `at::Tensor *`, as in torch-sys: contiguous buffers of floats on the
// CPU, of one length. Each function returns null when it worked, else a message that its caller frees.
//
// It is compiled without contraction: a product and a sum are one rounding only where `fma` says so.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/sqrt.h>
#include <c10/core/InferenceMode.h>

#include "caught.h"
#include "wide.h"

extern "C" {

// The numbers of an update, as the operations get them.
struct Adam {
  // On the values, before all else; 1 without it.
  float shrink;
  // On the values, for what is added to the gradients; not looked at where it is 0.
  float penalty;
  float mean_weight, square_decay, square_root, unbias, eps, rate;
  // On the change; 1 without it.
  float factor;
};

struct Sgd {
  float penalty, momentum, rate, factor;
  int32_t nesterov;
};

// Which of libtorch's operations have one rounding for a product and a sum: it depends on the processor.
struct Rounding {
  int32_t lerp, addcmul;
};

} // extern "C"

namespace {

template <bool ONE>
ALWAYS_INLINE float product_and_sum(float a, float b, float c) {
  return ONE ? __builtin_fmaf(a, b, c) : a * b + c;
}

// The moments of so many values, and into `mean_weight` of the way to the gradient from the nearer end, as lerp.
template <bool LERP, bool ADDCMUL, bool PENALTY, bool SMALL>
ALWAYS_INLINE void moments_loop(const Adam& with, int64_t n, const float* __restrict values, float* __restrict means,
                                float* __restrict squares, const float* __restrict gradients) {
  const float weight = SMALL ? with.mean_weight : with.mean_weight - 1;
  for (int64_t i = 0; i < n; i++) {
    const float gradient = PENALTY ? gradients[i] + values[i] * with.penalty : gradients[i];
    means[i] = product_and_sum<LERP>(weight, gradient - means[i], SMALL ? means[i] : gradient);
    const float scaled = gradient * with.square_root;
    squares[i] = product_and_sum<ADDCMUL>(scaled, scaled, squares[i] * with.square_decay);
  }
}

ALWAYS_INLINE void values_loop(const Adam& with, int64_t n, float* __restrict values, const float* __restrict means,
                               const float* __restrict roots) {
  for (int64_t i = 0; i < n; i++) {
    const float denominator = roots[i] * with.unbias + with.eps;
    values[i] = values[i] * with.shrink + means[i] / denominator * with.rate * with.factor;
  }
}

template <bool PENALTY, bool NESTEROV>
ALWAYS_INLINE void sgd_loop(const Sgd& with, int64_t n, float* __restrict values, float* __restrict velocities,
                            const float* __restrict gradients) {
  for (int64_t i = 0; i < n; i++) {
    const float gradient = PENALTY ? gradients[i] + values[i] * with.penalty : gradients[i];
    const float velocity = velocities[i] * with.momentum + gradient;
    velocities[i] = velocity;
    const float step = NESTEROV ? velocity * with.momentum + gradient : velocity;
    values[i] = values[i] + step * with.rate * with.factor;
  }
}

template <bool LERP, bool ADDCMUL, bool PENALTY>
ALWAYS_INLINE void moments_from_end(const Adam& with, int64_t n, float* const* at) {
  std::abs(with.mean_weight) < 0.5f ? moments_loop<LERP, ADDCMUL, PENALTY, true>(with, n, at[0], at[1], at[2], at[3])
                                    : moments_loop<LERP, ADDCMUL, PENALTY, false>(with, n, at[0], at[1], at[2], at[3]);
}

template <bool LERP, bool ADDCMUL>
ALWAYS_INLINE void moments_decayed(const Adam& with, int64_t n, float* const* at) {
  with.penalty != 0 ? moments_from_end<LERP, ADDCMUL, true>(with, n, at) : moments_from_end<LERP, ADDCMUL, false>(with, n, at);
}

ALWAYS_INLINE void moments_all(const Adam& with, Rounding one, int64_t n, float* const* at) {
  if (one.lerp != 0) {
    one.addcmul != 0 ? moments_decayed<true, true>(with, n, at) : moments_decayed<true, false>(with, n, at);
  } else {
    one.addcmul != 0 ? moments_decayed<false, true>(with, n, at) : moments_decayed<false, false>(with, n, at);
  }
}

ALWAYS_INLINE void sgd_all(const Sgd& with, int64_t n, float* const* at) {
  if (with.nesterov != 0) {
    with.penalty != 0 ? sgd_loop<true, true>(with, n, at[0], at[1], at[2]) : sgd_loop<false, true>(with, n, at[0], at[1], at[2]);
  } else {
    with.penalty != 0 ? sgd_loop<true, false>(with, n, at[0], at[1], at[2]) : sgd_loop<false, false>(with, n, at[0], at[1], at[2]);
  }
}

WIDE void moments_wide(const Adam& with, Rounding one, int64_t n, float* const* at) {
  moments_all(with, one, n, at);
}

WIDE void values_wide(const Adam& with, int64_t n, float* const* at, const float* roots) {
  values_loop(with, n, at[0], at[1], roots);
}

WIDE void sgd_wide(const Sgd& with, int64_t n, float* const* at) {
  sgd_all(with, n, at);
}

// Values of which all that an update needs is in the cache nearest but one.
constexpr int64_t BLOCK = 8192;

void adam_on(const Adam& with, Rounding one, int64_t n, float* const* at) {
  c10::InferenceMode no_gradients;
  // libtorch's roots are those of a library, whose last bits are its own.
  at::Tensor roots = at::empty({std::min(n, BLOCK)}, at::kFloat);
  for (int64_t from = 0; from < n; from += BLOCK) {
    const int64_t length = std::min(n - from, BLOCK);
    float* block[] = {at[0] + from, at[1] + from, at[2] + from, at[3] + from};
    is_wide() ? moments_wide(with, one, length, block) : moments_all(with, one, length, block);
    at::Tensor of_block = length == roots.numel() ? roots : roots.narrow(0, 0, length);
    at::sqrt_out(of_block, at::from_blob(block[2], {length}, at::kFloat));
    const float* found = roots.const_data_ptr<float>();
    is_wide() ? values_wide(with, length, block, found) : values_loop(with, length, block[0], block[1], found);
  }
}

void sgd_on(const Sgd& with, int64_t n, float* const* at) {
  is_wide() ? sgd_wide(with, n, at) : sgd_all(with, n, at);
}

// Calls `step` with the number and the addresses of neighbouring values, by libtorch's threads. The last buffer is only read.
template <std::size_t COUNT, typename Step>
void over(at::Tensor* const (&buffers)[COUNT], const Step& step) {
  at::TensorIteratorConfig config;
  config.set_check_mem_overlap(false).resize_outputs(false);
  for (std::size_t i = 0; i < COUNT; i++) {
    const auto& buffer = *buffers[i];
    TORCH_CHECK(buffer.scalar_type() == at::kFloat && buffer.device().is_cpu() && buffer.dim() == 1 && buffer.is_contiguous(),
                "an update in one pass needs buffers of float on the CPU");
    TORCH_CHECK(buffer.numel() == buffers[0]->numel(), "an update in one pass needs buffers of one length");
    i + 1 < COUNT ? config.add_output(buffer) : config.add_const_input(buffer);
  }
  auto iterator = config.build();
  iterator.for_each([&](char** data, const int64_t*, int64_t n) {
    float* at[COUNT];
    for (std::size_t i = 0; i < COUNT; i++) at[i] = reinterpret_cast<float*>(data[i]);
    step(n, at);
  });
  for (std::size_t i = 0; i + 1 < COUNT; i++) buffers[i]->unsafeGetTensorImpl()->bump_version();
}

} // namespace

extern "C" {

// Whether a product and a sum in one rounding cost no more than two here.
int32_t cpsd_one_pass_is_wide() {
#if defined(__FP_FAST_FMAF)
  return 1;
#else
  return is_wide();
#endif
}

char* cpsd_one_pass_adam(at::Tensor* values, at::Tensor* means, at::Tensor* squares, at::Tensor* gradients, const Adam* with,
                         const Rounding* one) {
  return caught([&] {
    over<4>({values, means, squares, gradients}, [&](int64_t n, float* const* at) { adam_on(*with, *one, n, at); });
  });
}

char* cpsd_one_pass_sgd(at::Tensor* values, at::Tensor* velocities, at::Tensor* gradients, const Sgd* with) {
  return caught([&] {
    over<3>({values, velocities, gradients}, [&](int64_t n, float* const* at) { sgd_on(*with, n, at); });
  });
}
}
