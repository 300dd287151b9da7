#include "core/base/log.h"

#include <memory>
#include <mutex>

namespace phiscope::log {
namespace {

struct Holder {
  std::mutex mutex;
  std::shared_ptr<const Sink> sink;
};

Holder& holder() {
  static Holder* const instance = new Holder;  // outlives threads that still log while the program ends
  return *instance;
}

}  // namespace

void set_sink(Sink sink) {
  auto replacement = sink ? std::make_shared<const Sink>(std::move(sink)) : nullptr;
  const std::scoped_lock lock(holder().mutex);
  holder().sink.swap(replacement);
}

void write(Level level, std::string_view message) {
  std::shared_ptr<const Sink> sink;
  {
    const std::scoped_lock lock(holder().mutex);
    sink = holder().sink;
  }
  if (sink != nullptr) (*sink)(level, message);  // outside the lock: a sink may log or be replaced
}

}  // namespace phiscope::log
