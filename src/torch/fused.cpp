// PyTorch's fused optimisers, which tch does not bind: each reads and writes every value once. Lists are of `count` tensors, and
// tensors are `at::Tensor *`, as in torch-sys. Each function returns null when it worked, else a message that its caller frees.

#include <cstddef>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>

#include "caught.h"

namespace {

using Tensors = at::Tensor* const*;

std::vector<at::Tensor> list(Tensors tensors, std::size_t count) {
  std::vector<at::Tensor> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; i++) all.push_back(*tensors[i]);
  return all;
}

} // namespace

extern "C" {

// `step` is the number of this step, from 1, as a float on the device of the values.
char* cpsd_fused_adam(std::size_t count, Tensors values, Tensors gradients, Tensors means, Tensors squares, at::Tensor* step, int decoupled,
                      double lr, double beta1, double beta2, double eps, double weight_decay) {
  return caught([&] {
    const auto v = list(values, count), g = list(gradients, count), m = list(means, count), s = list(squares, count);
    const std::vector<at::Tensor> steps(count, *step);
    if (decoupled != 0) {
      at::_fused_adamw_(v, g, m, s, {}, steps, lr, beta1, beta2, weight_decay, eps, false, false);
    } else {
      at::_fused_adam_(v, g, m, s, {}, steps, lr, beta1, beta2, weight_decay, eps, false, false);
    }
  });
}

// Without momentum `velocities` is not looked at.
char* cpsd_fused_sgd(std::size_t count, Tensors values, Tensors gradients, Tensors velocities, double lr, double momentum, int nesterov,
                     double weight_decay) {
  return caught([&] {
    const auto v = list(values, count), g = list(gradients, count), m = list(velocities, momentum == 0 ? 0 : count);
    at::_fused_sgd_(v, g, m, weight_decay, momentum, lr, 0.0, nesterov != 0, false, false);
  });
}
}
