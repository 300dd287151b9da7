#include <exception>
#include <new>

#include "app/worker/channel.h"
#include "app/worker/jobs.h"
#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/version.h"

namespace phiscope::worker {
namespace {

constexpr int kProtocol = 1;
constexpr int64_t kProgressGapNs = 100'000'000;  // ten messages a second: enough for a bar, nothing for a pipe

/// The job boundary: whatever is thrown below becomes an error.
Result<Json> run_job(Job job, const Json& request, JobContext& context) {
  try {
    return job(request, context);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "memory ran out during '{}'; use fewer bits, a shorter context or close other programs",
                json_string_or(request, "type", ""));
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "'{}' ended with an exception: {}", json_string_or(request, "type", ""), error.what());
  }
}

class Server {
 public:
  Server(std::istream& input, int output)
      : engine_([](std::string_view name) { return pick_backend(name); }, platform::user_cache_folder(), system_clock()),
        channel_(input, output, {[this] { clear_cancel(); }, [this] { cancel(); }}) {}

  void run() {
    channel_.send({{"type", "hello"}, {"protocol", kProtocol}, {"app_version", kVersion}});
    while (const auto request = channel_.next()) answer(*request);
  }

 private:
  void cancel() {
    cancel_.cancel();
    engine_.cancel();
  }

  void clear_cancel() {
    cancel_.reset();
    engine_.clear_cancel();
  }

  void answer(const Json& request) {
    const int64_t id = request.is_object() && request.contains("id") && request["id"].is_number_integer() ? request["id"].get<int64_t>() : -1;
    const Job job = request.is_object() ? find_job(json_string_or(request, "type", "")) : nullptr;
    JobContext context{engine_, cancel_, progress_for(id), [this, id](const Json& message) {
                         Json full = message;
                         full["id"] = id;
                         channel_.send(full);
                       }};
    Result<Json> result = job == nullptr ? Result<Json>(fail(ErrorCode::invalid_argument, "the worker knows no request of type '{}'",
                                                             request.is_object() ? json_string_or(request, "type", "") : ""))
                                         : run_job(job, request, context);
    if (result) {
      Json full{{"type", "result"}, {"id", id}};
      full.update(*result);
      channel_.send(full);
    } else {
      channel_.send({{"type", "error"}, {"id", id}, {"code", error_code_name(result.error().code)}, {"message", result.error().message}});
    }
  }

  bench::Progress progress_for(int64_t id) {
    return [this, id, last = int64_t{0}](double fraction, std::string_view what) mutable {
      const int64_t now = monotonic_ns();
      if (now - last < kProgressGapNs) return;
      last = now;
      channel_.send({{"type", "progress"}, {"id", id}, {"fraction", fraction}, {"what", what}});
    };
  }

  CancelToken cancel_;
  bench::LocalEngine engine_;
  Channel channel_;
};

}  // namespace

int serve(std::istream& input, int output) {
  Server(input, output).run();
  return 0;
}

}  // namespace phiscope::worker
