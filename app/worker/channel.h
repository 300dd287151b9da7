#pragma once
// The worker's end of the protocol: a thread reads requests, jobs answer.

#include <condition_variable>
#include <deque>
#include <functional>
#include <istream>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

#include "core/base/json.h"
#include "core/base/result.h"

namespace phiscope::worker {

/// Thread-safe. A parent that is gone makes writes no error: end of file on stdin follows.
class Channel {
 public:
  /// Both are called on the reading thread, in the order of the lines: so a cancel never hits the request after the one it was meant for.
  struct Events {
    std::function<void()> on_request;
    std::function<void()> on_cancel;  // also at end of file
  };
  /// Reads requests from `input`, writes to the descriptor `output`.
  Channel(std::istream& input, int output, Events events);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void send(const Json& message);
  /// The next request; nothing at end of file.
  std::optional<Json> next();

 private:
  void read_all();
  void take_line(std::string_view line);

  std::istream& input_;
  int output_;
  Events events_;
  std::mutex mutex_, write_mutex_;
  std::condition_variable arrived_;
  std::deque<Json> requests_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace phiscope::worker
