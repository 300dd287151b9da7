#include "app/worker/channel.h"

#include <chrono>
#include <cstdlib>
#include <string>

#include "core/base/platform/platform.h"

namespace phiscope::worker {
namespace {

// A job that does not notice its cancellation in this time, after the parent is gone, is not waited for.
constexpr auto kFarewell = std::chrono::seconds(3);

}  // namespace

Channel::Channel(std::istream& input, int output, Events events)
    : input_(input), output_(output), events_(std::move(events)), reader_([this] { read_all(); }) {}

Channel::~Channel() {
  if (reader_.joinable()) reader_.detach();  // it may wait for input; the process is about to end
}

void Channel::send(const Json& message) {
  const std::string line = dump_line(message) + "\n";
  const std::scoped_lock lock(write_mutex_);
  (void)platform::write_all(output_, line);
}

std::optional<Json> Channel::next() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return ended_ || !requests_.empty(); });
  if (requests_.empty()) return std::nullopt;
  Json request = std::move(requests_.front());
  requests_.pop_front();
  return request;
}

void Channel::take_line(std::string_view line) {
  auto message = parse_json(line, "worker protocol");
  if (!message) {
    send({{"type", "error"}, {"id", -1}, {"code", error_code_name(message.error().code)}, {"message", message.error().message}});
    return;
  }
  if (json_string_or(*message, "type", "") == "cancel") return events_.on_cancel();
  events_.on_request();
  {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(std::move(*message));
  }
  arrived_.notify_one();
}

void Channel::read_all() {
  std::string line;
  while (std::getline(input_, line)) {
    if (!line.empty()) take_line(line);
  }
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    requests_.clear();
  }
  events_.on_cancel();
  arrived_.notify_one();
  std::this_thread::sleep_for(kFarewell);
  std::_Exit(0);
}

}  // namespace phiscope::worker
