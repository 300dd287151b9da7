#pragma once
// The parent's end of a `phiscope-worker` process: requests out, replies, progress and tokens in (protocol: app/worker/README.md).

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/json.h"
#include "core/base/platform/platform.h"
#include "core/base/result.h"
#include "core/job/cancel.h"

namespace phiscope::session {

/// (fraction of what is being done, 0..1; what is being done)
using Progress = std::function<void(double fraction, std::string_view what)>;

/// What every call into a worker may be given. All members may be empty.
struct CallOptions {
  Progress progress;
  const CancelToken* cancel = nullptr;                  // set by a signal handler, for example; looked at ten times a second
  std::function<void(std::string_view line)> on_log;    // diagnostics of the worker (its stderr), one line each, on another thread
};

/// $PHISCOPE_WORKER, else `phiscope-worker` beside this program.
std::filesystem::path worker_program();

/// Arguments with which `phiscope worker` replaces itself: the program, then `arguments`.
std::vector<std::string> worker_command(const std::vector<std::string>& arguments);

struct WorkerOptions {
  std::filesystem::path program;                        // empty: worker_program()
  std::vector<std::string> arguments;                   // after the program; tests only
  std::vector<std::pair<std::string, std::string>> environment;
  std::function<void(std::string_view line)> on_log;
  double hello_timeout_s = 30;
  double cancel_grace_s = 5;                            // a worker that does not answer a cancel in this time is killed
};

/// One worker process; one request at a time. Requests come from one thread, cancel() from any.
/// A worker that died stays dead: every later request fails with the same error.
class WorkerClient {
 public:
  /// Starts the process and checks its protocol version. Errors: not_found naming the program and how to point to it; unsupported when the
  /// worker is of another version; crashed, hung.
  static Result<std::unique_ptr<WorkerClient>> start(WorkerOptions options);
  ~WorkerClient();
  WorkerClient(const WorkerClient&) = delete;
  WorkerClient& operator=(const WorkerClient&) = delete;

  /// Messages that come before the result: progress and tokens, as they are on the wire.
  using OnMessage = std::function<void(const Json& message)>;

  /// Sends `{"type": type, "id": n, ...fields}` and waits for the result. `silence_limit_s`: a worker that says nothing for so long is killed
  /// and the error is `hung`. Errors: the worker's own, `crashed` with what ended it, `cancelled`.
  Result<Json> request(std::string_view type, Json fields, double silence_limit_s, const OnMessage& on_message = {},
                       const CancelToken* cancel = nullptr);

  /// Makes the request that is waiting end with `cancelled`. Thread-safe.
  void cancel();
  void kill();
  int process_id() const;
  bool alive() const;
  /// A folder for bulk data of this worker, removed with the client.
  const std::filesystem::path& scratch_folder() const;

 private:
  WorkerClient();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace phiscope::session
