// PyTorch's process groups (c10d) behind C functions. Every function catches every C++ exception: it returns null when it
// worked, else a message that its caller frees. Tensors are `at::Tensor *`, as in torch-sys.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "../torch/caught.h"

// libtorch's packages have the headers of neither Gloo, NCCL nor CUDA, which those of the two groups include. What is used of
// the groups is their constructors; all else goes through the virtual functions of Backend. So they are declared here, with room
// for the members that the constructors in the library fill in. A constructor that changes is an error of the linker, and one
// that needs more room than this is told by `ROOM`: they take 488 and 1112 bytes in torch 2.13 and 2.11.
namespace c10d {
constexpr std::size_t ROOM = 32768;

class ProcessGroupGloo : public Backend {
 public:
  struct Options : Backend::Options {
    // With devices, by GLOO_SOCKET_IFNAME or the name of this host.
    static c10::intrusive_ptr<Options> create_default(std::chrono::milliseconds timeout);
    char room[ROOM];
  };
  ProcessGroupGloo(const c10::intrusive_ptr<Store>& store, int rank, int size, c10::intrusive_ptr<Options> options);
  ~ProcessGroupGloo() override;
  const std::string getBackendName() const override;
  char room[ROOM];
};

#ifdef CPSD_NCCL
class ProcessGroupNCCL : public Backend {
 public:
  struct Options : Backend::Options {
    explicit Options(bool is_high_priority_stream);
    char room[ROOM];
  };
  ProcessGroupNCCL(c10::intrusive_ptr<Store> store, int rank, int size, c10::intrusive_ptr<Options> options);
  ~ProcessGroupNCCL() override;
  const std::string getBackendName() const override;
  char room[ROOM];
};
#endif
} // namespace c10d

namespace {

using std::chrono::milliseconds;

struct Store {
  c10::intrusive_ptr<c10d::Store> store;
};

struct Group {
  c10::intrusive_ptr<c10d::Backend> backend;
  // The device's stream waits for the work, and the CPU does not.
  bool on_stream;
};

struct Pending {
  c10::intrusive_ptr<c10d::Work> work;
  bool on_stream;
};

// No warnings while one lives, unless TORCH_CPP_LOG_LEVEL asks for more than warnings. Each attempt to connect that fails writes one
// with its stack, and the error that is thrown at the end says the same.
struct Silence {
  static constexpr int WARNING = 1, FATAL = 3;
  // Several threads may be silent at once: the last one turns warnings on again.
  static inline std::mutex lock;
  static inline int alive = 0, usual = 0;
  Silence() {
    std::lock_guard<std::mutex> held(lock);
    if (alive++ == 0) {
      usual = FLAGS_caffe2_log_level;
      if (usual >= WARNING) {
        FLAGS_caffe2_log_level = FATAL;
      }
    }
  }
  ~Silence() {
    std::lock_guard<std::mutex> held(lock);
    if (--alive == 0) {
      FLAGS_caffe2_log_level = usual;
    }
  }
};

// Sums over all processes; the gradient of a sum is the sum of the gradients.
struct Sum : torch::autograd::Function<Sum> {
  static at::Tensor of(const at::Tensor& x, Group* group) {
    std::vector<at::Tensor> tensors{x.detach().clone(at::MemoryFormat::Contiguous)};
    group->backend->allreduce(tensors)->wait();
    return tensors[0];
  }

  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, int64_t group) {
    context->saved_data["group"] = group;
    return of(x, reinterpret_cast<Group*>(group));
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    auto group = reinterpret_cast<Group*>(context->saved_data["group"].toInt());
    return {of(gradients[0], group), at::Tensor()};
  }
};

} // namespace

extern "C" {

// A store at host:port. A server with a descriptor takes over the socket that is bound there.
char* cpsd_store_new(const char* host, uint16_t port, int server, int descriptor, int64_t timeout, Store** store) {
  return caught([&] {
    Silence silence;
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = server != 0;
    options.waitWorkers = false;
    options.timeout = milliseconds(timeout);
    if (descriptor >= 0) {
      options.masterListenFd = descriptor;
    }
    *store = new Store{c10::make_intrusive<c10d::TCPStore>(std::string(host), options)};
  });
}

void cpsd_store_free(Store* store) {
  caught([&] { delete store; });
}

char* cpsd_store_set(Store* store, const char* key, const uint8_t* bytes, size_t length) {
  return caught([&] { store->store->set(std::string(key), std::vector<uint8_t>(bytes, bytes + length)); });
}

// Null bytes if the key was not set.
char* cpsd_store_get(Store* store, const char* key, uint8_t** bytes, size_t* length) {
  return caught([&] {
    *bytes = nullptr;
    if (!store->store->check({std::string(key)})) {
      return;
    }
    auto value = store->store->get(std::string(key));
    *length = value.size();
    *bytes = static_cast<uint8_t*>(malloc(value.size() + 1));
    memcpy(*bytes, value.data(), value.size());
  });
}

void cpsd_bytes_free(uint8_t* bytes) {
  free(bytes);
}

int cpsd_has_nccl() {
#ifdef CPSD_NCCL
  return 1;
#else
  return 0;
#endif
}

// All processes call it. `joining` bounds the time until all are connected, `timeout` that of an operation, in milliseconds.
char* cpsd_group_new(
    Store* store, const char* prefix, int nccl, int rank, int size, int64_t joining, int64_t timeout, Group** group) {
  return caught([&] {
    auto own = c10::make_intrusive<c10d::PrefixStore>(std::string(prefix), store->store);
    // The engines wait in the store for the others, NCCL in the first operation.
    own->setTimeout(milliseconds(joining));
    if (nccl != 0) {
#ifdef CPSD_NCCL
      auto options = c10::make_intrusive<c10d::ProcessGroupNCCL::Options>(false);
      options->timeout = milliseconds(timeout);
      *group = new Group{
          c10::make_intrusive<c10d::ProcessGroupNCCL>(
              c10::intrusive_ptr<c10d::Store>(own), rank, size, std::move(options)),
          true};
      return;
#else
      TORCH_CHECK(false, "this libtorch has no NCCL");
#endif
    }
    auto options = c10d::ProcessGroupGloo::Options::create_default(milliseconds(joining));
    auto backend = c10::make_intrusive<c10d::ProcessGroupGloo>(
        c10::intrusive_ptr<c10d::Store>(own), rank, size, std::move(options));
    backend->setTimeout(milliseconds(timeout));
    *group = new Group{std::move(backend), false};
  });
}

// NCCL's destructor warns if the group was not ended before. `abort` ends it at once, where `shutdown` would wait for operations
// that never end when another process has gone.
void cpsd_group_free(Group* group) {
  if (group->on_stream) {
    free(caught([&] { group->backend->abort(); }));
  }
  free(caught([&] { delete group; }));
}

// Starts to replace the tensor by its sum over all processes.
char* cpsd_group_all_reduce(Group* group, at::Tensor* tensor, Pending** pending) {
  return caught([&] {
    std::vector<at::Tensor> tensors{*tensor};
    *pending = new Pending{group->backend->allreduce(tensors), group->on_stream};
  });
}

// Starts to replace the tensor by that of process `root`.
char* cpsd_group_broadcast(Group* group, at::Tensor* tensor, int root, Pending** pending) {
  return caught([&] {
    std::vector<at::Tensor> tensors{*tensor};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    *pending = new Pending{group->backend->broadcast(tensors, options), group->on_stream};
  });
}

// Whether operations that follow on the device may use the result. On a stream that is so at once.
char* cpsd_pending_done(Pending* pending, int* done) {
  return caught([&] {
    auto& work = *pending->work;
    *done = pending->on_stream || work.isCompleted();
    if (*done == 0) {
      return;
    }
    if (!pending->on_stream && !work.isSuccess()) {
      std::rethrow_exception(work.exception());
    }
    work.synchronize();
  });
}

void cpsd_pending_free(Pending* pending) {
  caught([&] { delete pending; });
}

// The sum over all processes of a tensor with a gradient. Waits, and its backward pass too.
char* cpsd_group_sum(Group* group, at::Tensor* tensor, at::Tensor** sum) {
  return caught([&] { *sum = new at::Tensor(Sum::apply(*tensor, reinterpret_cast<int64_t>(group))); });
}

} // extern "C"
