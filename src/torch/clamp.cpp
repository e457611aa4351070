// A clamp in place that has a gradient: of its input it keeps a byte per value, where libtorch's clamp needs the input itself. Tensors are
// `at::Tensor *`, as in torch-sys. The function returns null when it worked, else a message that its caller frees.

#include <cstdint>

#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>

#include "caught.h"
#include "wide.h"

namespace {

// Values that are no numbers stay, and have no gradient.
ALWAYS_INLINE void clamp_loop(int64_t n, float* __restrict values, bool* __restrict inside, float least, float most) {
  for (int64_t i = 0; i < n; i++) {
    const float value = values[i];
    inside[i] = (value >= least) & (value <= most);
    const float low = value < least ? least : value;
    values[i] = low > most ? most : low;
  }
}

ALWAYS_INLINE void gradient_loop(int64_t n, float* __restrict out, const float* __restrict gradient, const bool* __restrict inside) {
  for (int64_t i = 0; i < n; i++) out[i] = inside[i] ? gradient[i] : 0.0f;
}

WIDE void clamp_wide(int64_t n, float* values, bool* inside, float least, float most) {
  clamp_loop(n, values, inside, least, most);
}

WIDE void gradient_wide(int64_t n, float* out, const float* gradient, const bool* inside) {
  gradient_loop(n, out, gradient, inside);
}

// By libtorch's threads; values and bytes in the order of memory, or one by one where their orders differ.
void clamp_all(const at::Tensor& values, const at::Tensor& inside, float least, float most) {
  auto iterator = at::TensorIteratorConfig()
                      .set_check_mem_overlap(false)
                      .check_all_same_dtype(false)
                      .resize_outputs(false)
                      .add_output(values)
                      .add_output(inside)
                      .build();
  iterator.for_each([&](char** data, const int64_t* strides, int64_t n) {
    const bool dense = strides[0] == sizeof(float) && strides[1] == sizeof(bool);
    const int64_t length = dense ? n : 1;
    for (int64_t i = 0; i < n; i += length) {
      auto* v = reinterpret_cast<float*>(data[0] + i * strides[0]);
      auto* in = reinterpret_cast<bool*>(data[1] + i * strides[1]);
      is_wide() ? clamp_wide(length, v, in, least, most) : clamp_loop(length, v, in, least, most);
    }
  });
}

at::Tensor gradient_all(const at::Tensor& gradient, const at::Tensor& inside) {
  at::Tensor out = at::empty_like(gradient);
  auto iterator = at::TensorIteratorConfig()
                      .set_check_mem_overlap(false)
                      .check_all_same_dtype(false)
                      .resize_outputs(false)
                      .add_output(out)
                      .add_const_input(gradient)
                      .add_const_input(inside)
                      .build();
  iterator.for_each([&](char** data, const int64_t* strides, int64_t n) {
    const bool dense = strides[0] == sizeof(float) && strides[1] == sizeof(float) && strides[2] == sizeof(bool);
    const int64_t length = dense ? n : 1;
    for (int64_t i = 0; i < n; i += length) {
      auto* o = reinterpret_cast<float*>(data[0] + i * strides[0]);
      auto* g = reinterpret_cast<const float*>(data[1] + i * strides[1]);
      auto* in = reinterpret_cast<const bool*>(data[2] + i * strides[2]);
      is_wide() ? gradient_wide(length, o, g, in) : gradient_loop(length, o, g, in);
    }
  });
  return out;
}

struct Clamp : torch::autograd::Function<Clamp> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, double least, double most) {
    at::Tensor inside = at::empty_like(x, x.options().dtype(at::kBool));
    clamp_all(x, inside, static_cast<float>(least), static_cast<float>(most));
    x.unsafeGetTensorImpl()->bump_version();
    context->mark_dirty({x});
    context->save_for_backward({inside});
    return x;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const at::Tensor inside = context->get_saved_variables()[0];
    const at::Tensor& gradient = gradients[0];
    if (!gradient.defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    // A gradient of the gradient needs operations that libtorch knows. And where the gradient has another order in memory than the values, as
    // that of a mean has, the result's order is libtorch's choice: it decides the last bits of what comes before.
    const bool plain = !at::GradMode::is_enabled() && gradient.device().is_cpu() && gradient.scalar_type() == at::kFloat &&
                       gradient.layout() == at::kStrided && gradient.strides().equals(inside.strides()) &&
                       gradient.is_non_overlapping_and_dense();
    if (plain) return {gradient_all(gradient, inside), at::Tensor(), at::Tensor()};
    return {at::where(inside, gradient, at::scalar_tensor(0.0, gradient.options())), at::Tensor(), at::Tensor()};
  }
};

} // namespace

extern "C" {

// Clamps floats on the CPU in place, and gives the tensor that has the gradient.
char* cpsd_clamp_in_place(at::Tensor* x, double least, double most, at::Tensor** clamped) {
  return caught([&] {
    TORCH_CHECK(x->device().is_cpu() && x->scalar_type() == at::kFloat, "this clamp is of floats on the CPU");
    *clamped = new at::Tensor(Clamp::apply(*x, least, most));
  });
}
}
