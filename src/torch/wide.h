// Functions that are compiled twice: for every processor, and for those with AVX2.

#pragma once

#define ALWAYS_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2,fma")))

namespace {

bool is_wide() {
  static const bool is = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return is;
}

} // namespace
#else
#define WIDE

namespace {

bool is_wide() {
  return false;
}

} // namespace
#endif
