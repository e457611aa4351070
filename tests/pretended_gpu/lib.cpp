// Pretended GPUs: a library that is preloaded into a program of libtorch for the CPU, which then sees CUDA devices.
//
// Their memory is the CPU's and so are their kernels: what comes out has the bits of the CPU. As on real GPUs,
//
// - an operation refuses tensors of different devices, but for what CUDA's kernels allow too (copies, single numbers
//   beside tensors, indices that are on the CPU);
// - the CPU cannot touch their memory: addresses of tensors have a bit that no address of a process has, which only
//   `Shadows` takes away, so code that reads a tensor's memory where it must first copy it ends with SIGSEGV;
// - memory ends, with the words of CUDA.
//
// Environment:
//   CUDA_VISIBLE_DEVICES  a list, of which the length counts
//   PRETENDED_GPUS        how many there are without that list (2)
//   PRETENDED_GPU_MEMORY  bytes of each (no bound)
//   PRETENDED_GPU_TRACE   a file to which events are appended: one line per transfer, wait for the device, and name of an operation
//
// What does not differ from the CPU: kernels are finished when they return, so missing waits are not found.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/SDPBackend.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace {

using at::Tensor;
using c10::Device;
using c10::DeviceIndex;
using c10::IValue;
using c10::Storage;
using c10::StorageImpl;

constexpr int MOST = 64;

// ---------------------------------------------------------------------------------------------------- the environment

DeviceIndex count_devices() {
  if (const char* list = std::getenv("CUDA_VISIBLE_DEVICES")) {
    const std::string text(list);
    return text.empty() || text == "-1" ? 0 : static_cast<DeviceIndex>(1 + std::count(text.begin(), text.end(), ','));
  }
  const char* count = std::getenv("PRETENDED_GPUS");
  return static_cast<DeviceIndex>(std::min(count ? std::atoi(count) : 2, MOST));
}

DeviceIndex devices() {
  static const DeviceIndex count = count_devices();
  return count;
}

void trace(const std::string& line) {
  static const int file = [] {
    const char* path = std::getenv("PRETENDED_GPU_TRACE");
    return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
  }();
  if (file >= 0) {
    const std::string whole = line + "\n";
    (void)!write(file, whole.data(), whole.size());
  }
}

// --------------------------------------------------------------------------------------------------------- the memory

// On x86-64 and AArch64 no process has addresses with this bit.
constexpr uintptr_t FAR = uintptr_t(1) << 52;

void* far(void* here) {
  return here ? reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(here) | FAR) : nullptr;
}

void* near(const void* there) {
  return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(there) & ~FAR);
}

std::atomic<int64_t> used[MOST];

// Memory of the CPU that belongs to a device.
struct Block {
  c10::DataPtr memory;
  int64_t size;
  DeviceIndex device;
};

void release(void* context) {
  auto* block = static_cast<Block*>(context);
  used[block->device] -= block->size;
  delete block;
}

c10::DataPtr belongs(c10::DataPtr memory, size_t size, DeviceIndex device) {
  static const int64_t most = [] {
    const char* bytes = std::getenv("PRETENDED_GPU_MEMORY");
    return bytes ? std::atoll(bytes) : INT64_MAX;
  }();
  const auto bytes = static_cast<int64_t>(size);
  if ((used[device] += bytes) > most) {
    used[device] -= bytes;
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate ", bytes, " bytes. GPU ",
                     static_cast<int>(device), " has a total capacity of ", most, " bytes");
  }
  void* here = memory.get();
  return {far(here), new Block{std::move(memory), bytes, device}, &release, Device(c10::kCUDA, device)};
}

thread_local DeviceIndex current = 0;

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t size) override {
    return belongs(c10::GetAllocator(c10::kCPU)->allocate(size), size, current);
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t count) const override { std::memcpy(near(to), near(from), count); }
};

Memory memory;

// Pinned memory is the CPU's, and noted.
struct Pinned final : c10::Allocator {
  std::mutex lock;
  std::map<uintptr_t, size_t> blocks;

  struct Held {
    c10::DataPtr memory;
    Pinned* owner;
  };
  static void free(void* context) {
    auto* held = static_cast<Held*>(context);
    {
      const std::lock_guard<std::mutex> locked(held->owner->lock);
      held->owner->blocks.erase(reinterpret_cast<uintptr_t>(held->memory.get()));
    }
    delete held;
  }
  c10::DataPtr allocate(size_t size) override {
    auto plain = c10::GetAllocator(c10::kCPU)->allocate(size);
    void* here = plain.get();
    const std::lock_guard<std::mutex> locked(lock);
    blocks[reinterpret_cast<uintptr_t>(here)] = size;
    return {here, new Held{std::move(plain), this}, &free, Device(c10::kCPU)};
  }
  bool contains(const void* data) {
    const auto at = reinterpret_cast<uintptr_t>(data);
    const std::lock_guard<std::mutex> locked(lock);
    const auto next = blocks.upper_bound(at);
    return next != blocks.begin() && at < std::prev(next)->first + std::max<size_t>(std::prev(next)->second, 1);
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t count) const override { std::memcpy(to, from, count); }
};

// Never destroyed: memory may be given back while the process ends.
Pinned& pinned() {
  static auto* one = new Pinned;
  return *one;
}

// ------------------------------------------------------------------------------------------- devices, streams, events

DeviceIndex checked(Device device) {
  const auto index = device.has_index() ? device.index() : current;
  TORCH_CHECK(device.is_cuda() && index >= 0 && index < devices(), "CUDA error: invalid device ordinal");
  return index;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static c10::Stream stream(Device device) {
    return c10::Stream(c10::Stream::DEFAULT, Device(c10::kCUDA, device.has_index() ? device.index() : current));
  }

  c10::DeviceType type() const override { return c10::kCUDA; }
  Device exchangeDevice(Device device) const override {
    const Device before(c10::kCUDA, current);
    current = checked(device);
    return before;
  }
  Device getDevice() const override { return {c10::kCUDA, current}; }
  void setDevice(Device device) const override { current = checked(device); }
  void uncheckedSetDevice(Device device) const noexcept override { current = device.index(); }
  c10::Stream getStream(Device device) const override { return stream(device); }
  c10::Stream getDefaultStream(Device device) const override { return stream(device); }
  c10::Stream getStreamFromGlobalPool(Device device, bool) const override { return stream(device); }
  c10::Stream getNewStream(Device device, int) const override { return stream(device); }
  c10::Stream exchangeStream(c10::Stream next) const override { return stream(next.device()); }
  DeviceIndex deviceCount() const noexcept override { return devices(); }
  void record(void**, const c10::Stream&, const DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override { trace("wait stream"); }
  void synchronizeEvent(void*) const override { trace("wait event"); }
  void synchronizeDevice(const DeviceIndex) const override { trace("wait device"); }
  double elapsedTime(void*, void*, const DeviceIndex) const override { return 0.0; }
};

}  // namespace

// libtorch makes these hooks by their name.
struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}

  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return devices() > 0; }
  bool hasCUDA() const override { return devices() > 0; }
  bool hasCUDART() const override { return true; }
  bool hasPrimaryContext(DeviceIndex) const override { return true; }
  long versionCUDART() const override { return 13000; }
  std::string showConfig() const override { return "pretended GPUs"; }
  DeviceIndex deviceCount() const override { return devices(); }
  int getNumGPUs() const override { return devices(); }
  DeviceIndex current_device() const override { return current; }
  DeviceIndex getCurrentDevice() const override { return current; }
  void setCurrentDevice(DeviceIndex index) const override { current = checked({c10::kCUDA, index}); }
  DeviceIndex exchangeDevice(DeviceIndex index) const override {
    const auto before = current;
    if (index >= 0) current = checked({c10::kCUDA, index});
    return before;
  }
  DeviceIndex maybeExchangeDevice(DeviceIndex index) const override { return exchangeDevice(index); }
  void deviceSynchronize(DeviceIndex) const override { trace("wait device"); }
  bool isPinnedPtr(const void* data) const override { return pinned().contains(data); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned(); }
  c10::Allocator* getCUDADeviceAllocator() const override { return &memory; }
  Device getDeviceFromPtr(void*) const override { return {c10::kCUDA, current}; }
  const at::Generator& getDefaultGenerator(DeviceIndex index) const override {
    static auto* all = [] {
      auto* made = new std::vector<at::Generator>;
      for (int i = 0; i < MOST; i++) made->push_back(at::make_generator<at::CPUGeneratorImpl>());
      return made;
    }();
    return all->at(index < 0 ? current : index);
  }
  at::Generator getNewGenerator(DeviceIndex) const override { return at::make_generator<at::CPUGeneratorImpl>(); }
};

namespace at {
REGISTER_CUDA_HOOKS(CUDAHooks)
}  // namespace at

namespace {

C10_REGISTER_GUARD_IMPL(CUDA, Guard)

const bool registered = [] {
  c10::SetAllocator(c10::kCUDA, &memory);
  return true;
}();

// -------------------------------------------------------------------------------- tensors of a device seen by the CPU

// CPU tensors on the memory of a device's tensors, for the time of one call. Two tensors of one storage have two
// shadows of one storage, as kernels ask whether arguments overlap.
class Shadows {
 public:
  Tensor of(const Tensor& there) {
    if (!there.defined() || !there.is_cuda()) return there;
    for (const auto& [original, shadow] : tensors_) {
      if (original.is_same(there)) return shadow;
    }
    Tensor shadow = at::detail::make_tensor<c10::TensorImpl>(of(there.storage()), c10::DispatchKeySet(c10::DispatchKey::CPU), there.dtype());
    auto* impl = shadow.unsafeGetTensorImpl();
    impl->set_sizes_and_strides(there.sizes(), there.strides(), there.storage_offset());
    tensors_.emplace_back(there, shadow);
    return shadow;
  }

  Storage of(const Storage& there) {
    auto& pair = storages_[there.unsafeGetStorageImpl()];
    if (!pair.shadow) {
      pair.original = there;
      // The memory stays its owner's.
      auto* owner = new Storage(there);
      c10::DataPtr data(near(there.data()), owner, [](void* p) { delete static_cast<Storage*>(p); }, Device(c10::kCPU));
      pair.shadow = Storage(Storage::use_byte_size_t(), there.nbytes(), std::move(data), c10::GetAllocator(c10::kCPU), true);
    }
    return pair.shadow;
  }

  // What a kernel changed besides numbers: sizes, and storages that it made larger or put in the place of another.
  void write_back(DeviceIndex device) {
    for (auto& [address, pair] : storages_) {
      auto* shadow = pair.shadow.unsafeGetStorageImpl();
      auto* original = pair.original.unsafeGetStorageImpl();
      if (shadow->data() != near(original->data())) {
        const auto size = shadow->nbytes();
        // The shadow stays as it was for the results that are still to be looked up.
        c10::DataPtr grown = shadow->set_data_ptr(c10::DataPtr(nullptr, Device(c10::kCPU)));
        original->set_data_ptr_noswap(belongs(std::move(grown), size, device));
        original->set_nbytes(size);
      } else if (shadow->nbytes() != original->nbytes()) {
        original->set_nbytes(shadow->nbytes());
      }
    }
    for (auto& [original, shadow] : tensors_) {
      if (shadow.storage().unsafeGetStorageImpl() != of(original.storage()).unsafeGetStorageImpl()) {
        original.unsafeGetTensorImpl()->set_storage_keep_dtype(back(shadow.storage(), device));
      }
      if (shadow.sizes() != original.sizes() || shadow.strides() != original.strides() ||
          shadow.storage_offset() != original.storage_offset()) {
        original.unsafeGetTensorImpl()->set_sizes_and_strides(shadow.sizes(), shadow.strides(), shadow.storage_offset());
      }
    }
  }

  // A result as a tensor of the device. One on the memory of an argument is a view of it.
  Tensor back(const Tensor& here, DeviceIndex device) {
    if (!here.defined() || !here.is_cpu()) return here;
    for (const auto& [original, shadow] : tensors_) {
      if (shadow.is_same(here)) return original;
    }
    Tensor there = at::detail::make_tensor<c10::TensorImpl>(back(here.storage(), device), c10::DispatchKeySet(c10::DispatchKey::CUDA), here.dtype());
    there.unsafeGetTensorImpl()->set_sizes_and_strides(here.sizes(), here.strides(), here.storage_offset());
    return there;
  }

  Storage back(const Storage& here, DeviceIndex device) {
    for (const auto& [address, pair] : storages_) {
      if (pair.shadow.unsafeGetStorageImpl() == here.unsafeGetStorageImpl()) return pair.original;
    }
    const auto known = made_.find(here.unsafeGetStorageImpl());
    if (known != made_.end()) return known->second;
    auto* owner = new Storage(here);
    c10::DataPtr data(here.mutable_data(), owner, [](void* p) { delete static_cast<Storage*>(p); }, Device(c10::kCPU));
    Storage there(Storage::use_byte_size_t(), here.nbytes(), belongs(std::move(data), here.nbytes(), device), &memory, true);
    made_.emplace(here.unsafeGetStorageImpl(), there);
    return there;
  }

 private:
  struct Pair {
    Storage original, shadow;
  };
  std::vector<std::pair<Tensor, Tensor>> tensors_;
  std::unordered_map<StorageImpl*, Pair> storages_;
  std::unordered_map<StorageImpl*, Storage> made_;
};

// --------------------------------------------------------------------------------------------- operations of all kinds

// Operations of which CUDA's kernels take a number that is a CPU tensor without dimensions, by their names without "_".
const std::unordered_set<std::string> NUMBERS = {
    "add", "sub", "mul", "div", "rsub", "true_divide", "floor_divide", "remainder", "fmod", "pow", "eq", "ne", "lt", "le", "gt",
    "ge", "maximum", "minimum", "fmax", "fmin", "atan2", "copysign", "xlogy", "logaddexp", "bitwise_and", "bitwise_or",
    "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "__lshift__", "__rshift__", "logical_and", "logical_or", "logical_xor", "where", "masked_fill", "fill", "mse_loss", "huber_loss",
    "smooth_l1_loss", "sigmoid_backward", "tanh_backward", "threshold_backward", "hypot", "clamp", "clamp_min", "clamp_max",
    "index_put", "_index_put_impl", "_foreach_mul", "_foreach_div", "_foreach_add", "lerp"};

// Operations that move indices to the device themselves (and wait for it).
const std::unordered_set<std::string> INDICES = {"index", "index_put", "_index_put_impl", "_unsafe_index", "_unsafe_index_put"};

// Operations whose result's size depends on numbers of the device, or that give a number: the CPU waits.
const std::unordered_set<std::string> WAITS = {"nonzero", "masked_select", "unique_dim", "_unique", "_unique2", "unique_consecutive",
                                               "equal", "is_nonzero", "bincount", "repeat_interleave"};

std::string base(const std::string& name) {
  auto from = name.find("::");
  std::string plain = from == std::string::npos ? name : name.substr(from + 2);
  if (!plain.empty() && plain.back() == '_') plain.pop_back();
  return plain;
}

// The device of a call, and whether all tensors are there.
class Place {
 public:
  explicit Place(const c10::OperatorHandle& op) : op_(op), base_(base(op.schema().name())) {}

  void argument(const Tensor& tensor, bool list) {
    if (!tensor.defined()) return;
    if (tensor.is_cuda()) {
      if (!device_) device_ = tensor.device().index();
      if (*device_ != tensor.device().index()) refuse(tensor.device());
    } else if (!tensor.is_meta()) {
      const bool number = tensor.dim() == 0 && NUMBERS.count(base_);
      const bool index = list && INDICES.count(base_);
      if (index) trace("wait index on the CPU, " + base_);
      if (!number && !index) stranger_ = tensor.device();
    }
  }
  void asked(Device device) {
    if (device.is_cuda()) device_ = checked(device);
  }
  DeviceIndex found() const {
    if (stranger_) refuse(*stranger_);
    return device_.value_or(current);
  }
  const std::string& name() const { return base_; }

 private:
  [[noreturn]] void refuse(Device other) const {
    TORCH_CHECK(false, "Expected all tensors to be on the same device, but found at least two devices, cuda:",
                static_cast<int>(device_.value_or(current)), " and ", other, "! (in ", op_.schema().operator_name(), ")");
  }
  const c10::OperatorHandle& op_;
  std::string base_;
  std::optional<DeviceIndex> device_;
  std::optional<Device> stranger_;
};

void note(const c10::OperatorHandle& op) {
  static const bool wanted = std::getenv("PRETENDED_GPU_TRACE") != nullptr;
  if (!wanted) return;
  static std::mutex lock;
  static auto* seen = new std::unordered_set<std::string>;
  const std::string name = toString(op.schema().operator_name());
  const std::lock_guard<std::mutex> locked(lock);
  if (seen->insert(name).second) trace("operation " + name);
}

// Runs the CPU's kernel on the memory of the arguments.
void on_the_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  note(op);
  const size_t count = op.schema().arguments().size();
  const size_t first = stack->size() - count;
  Place place(op);
  for (size_t i = 0; i < count; i++) {
    const IValue& value = (*stack)[first + i];
    if (value.isTensor()) {
      place.argument(value.toTensor(), false);
    } else if (value.isTensorList()) {
      for (const Tensor& tensor : value.toTensorVector()) place.argument(tensor, false);
    } else if (value.isOptionalTensorList()) {
      for (const auto& tensor : value.toOptionalTensorVector()) {
        if (tensor) place.argument(*tensor, true);
      }
    } else if (value.isDevice()) {
      place.asked(value.toDevice());
    }
  }
  const DeviceIndex device = place.found();
  if (WAITS.count(place.name())) trace("wait " + place.name());

  Shadows shadows;
  for (size_t i = 0; i < count; i++) {
    IValue& value = (*stack)[first + i];
    if (value.isTensor()) {
      value = shadows.of(value.toTensor());
    } else if (value.isStorage()) {
      value = shadows.of(value.toStorage());
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) list.push_back(shadows.of(tensor));
      value = std::move(list);
    } else if (value.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> list;
      for (const auto& tensor : value.toOptionalTensorVector()) {
        if (tensor && tensor->defined() && (tensor->scalar_type() == at::kBool || tensor->scalar_type() == at::kByte)) {
          trace("wait index of truths, " + place.name());
        }
        list.push_back(tensor ? std::optional<Tensor>(shadows.of(*tensor)) : std::nullopt);
      }
      value = std::move(list);
    } else if (value.isDevice()) {
      value = Device(c10::kCPU);
    }
  }
  {
    at::AutoDispatchBelowADInplaceOrView below;
    op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), stack);
  }
  const size_t results = op.schema().returns().size();
  for (size_t i = stack->size() - results; i < stack->size(); i++) {
    IValue& value = (*stack)[i];
    if (value.isTensor()) {
      value = shadows.back(value.toTensor(), device);
    } else if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& tensor : value.toTensorVector()) list.push_back(shadows.back(tensor, device));
      value = std::move(list);
    }
  }
  shadows.write_back(device);
}

// ------------------------------------------------------------------------------------------ operations with a place

Tensor empty(c10::IntArrayRef size, std::optional<c10::ScalarType> kind, std::optional<c10::Layout>, std::optional<Device> device,
             std::optional<bool> pin, std::optional<c10::MemoryFormat> format) {
  TORCH_CHECK(!pin.value_or(false), "Only dense CPU tensors can be pinned");
  const c10::DeviceGuard guard(Device(c10::kCUDA, checked(device.value_or(Device(c10::kCUDA)))));
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(c10::DispatchKey::CUDA), c10::dtype_or_default(kind), format);
}

Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<c10::ScalarType> kind, std::optional<c10::Layout>,
                     std::optional<Device> device, std::optional<bool> pin) {
  TORCH_CHECK(!pin.value_or(false), "Only dense CPU tensors can be pinned");
  const c10::DeviceGuard guard(Device(c10::kCUDA, checked(device.value_or(Device(c10::kCUDA)))));
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::CUDA), c10::dtype_or_default(kind));
}

// Between any two devices.
Tensor& copy(Tensor& to, const Tensor& from, bool non_blocking) {
  if (to.device() != from.device()) {
    const Tensor& here = to.is_cpu() ? to : from;
    const bool both = to.is_cuda() && from.is_cuda();
    const bool waits = !both && !(non_blocking && pinned().contains(here.storage().data()));
    trace(std::string(both ? "move " : to.is_cuda() ? "upload " : "read back ") + std::to_string(from.nbytes()) + " bytes, " +
          (waits ? "the CPU waits" : "no wait"));
  }
  Shadows shadows;
  at::AutoDispatchBelowADInplaceOrView below;
  shadows.of(to).copy_(shadows.of(from), non_blocking);
  return to;
}

at::Scalar number(const Tensor& tensor) {
  trace("wait number");
  Shadows shadows;
  at::AutoDispatchBelowADInplaceOrView below;
  return at::_local_scalar_dense(shadows.of(tensor));
}

// Attention: the CPU's choice of kernel, of which the fused one is reached through the operation that other devices may define.
int64_t attention_kernel(const Tensor& query, const Tensor& key, const Tensor& value, const std::optional<Tensor>& mask, double dropout,
                         bool causal, std::optional<double> scale, bool grouped) {
  Shadows shadows;
  auto shadow = [&](const Tensor& tensor) {
    Tensor here = shadows.of(tensor);
    // Which kernel it is depends on whether gradients are asked for.
    return tensor.requires_grad() ? here.detach().requires_grad_() : here;
  };
  std::optional<Tensor> masked;
  if (mask && mask->defined()) masked = shadow(*mask);
  const auto choice = at::_fused_sdp_choice(shadow(query), shadow(key), shadow(value), masked, dropout, causal, scale, grouped);
  const bool fused = choice == static_cast<int64_t>(at::SDPBackend::flash_attention);
  return fused ? static_cast<int64_t>(at::SDPBackend::overrideable) : choice;
}

using Attended = std::tuple<Tensor, Tensor, Tensor, Tensor, c10::SymInt, c10::SymInt, Tensor, Tensor, Tensor>;

Attended attention(const Tensor& query, const Tensor& key, const Tensor& value, const std::optional<Tensor>& bias, double dropout,
                   bool causal, bool, std::optional<double> scale) {
  Tensor out, sums;
  {
    at::AutoDispatchBelowADInplaceOrView below;
    std::tie(out, sums) = at::_scaled_dot_product_flash_attention_for_cpu(query, key, value, dropout, causal, bias, scale);
  }
  return {out, sums, Tensor(), Tensor(), query.size(-2), key.size(-2), Tensor(), Tensor(), Tensor()};
}

std::tuple<Tensor, Tensor, Tensor, Tensor> attention_backward(
    const Tensor& gradient, const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& bias, std::array<bool, 4>,
    const Tensor& out, const Tensor& sums, const Tensor&, const Tensor&, c10::SymInt, c10::SymInt, double dropout, bool causal,
    const Tensor&, const Tensor&, std::optional<double> scale) {
  std::optional<Tensor> mask;
  if (bias.defined()) mask = bias;
  at::AutoDispatchBelowADInplaceOrView below;
  auto [q, k, v] = at::_scaled_dot_product_flash_attention_for_cpu_backward(gradient, query, key, value, out, sums, dropout, causal, mask, scale);
  return {q, k, v, Tensor()};
}

const bool chosen = [] {
  at::native::_fused_sdp_choice_stub.set_cuda_dispatch_ptr(&attention_kernel);
  return true;
}();

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("copy_", copy);
  m.impl("_local_scalar_dense", number);
  m.impl("_scaled_dot_product_fused_attention_overrideable", attention);
  m.impl("_scaled_dot_product_fused_attention_overrideable_backward", attention_backward);
  // Convolutions look at the device to choose a library; mse_loss warns if it is called through its form with "out".
  std::vector<std::string> whole = {"convolution", "convolution_backward", "mse_loss"};
  // What the CPU has kernels of its own for is not put together of other operations, which gives other last bits.
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    const auto op = c10::Dispatcher::singleton().findOp(name);
    if (name.name.rfind("aten::", 0) == 0 && op && op->hasKernelForDispatchKey(c10::DispatchKey::CPU) &&
        op->hasKernelForDispatchKey(c10::DispatchKey::CompositeExplicitAutograd) && !op->hasKernelForDispatchKey(c10::DispatchKey::CUDA)) {
      whole.push_back(toString(name));
    }
  }
  for (const auto& name : whole) m.impl(name.c_str(), torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
}

TORCH_LIBRARY_IMPL(_, CUDA, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>());
}

}  // namespace
