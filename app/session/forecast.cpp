#include "app/session/forecast.h"

#include "core/bench/engine_json.h"

namespace phiscope::session {
namespace {

constexpr double kSeconds = 600;

}  // namespace

Result<MemoryForecast> forecast_memory(const Target& target, const CallOptions& options) {
  WorkerOptions worker;
  worker.on_log = options.on_log;
  PHISCOPE_ASSIGN(const auto client, WorkerClient::start(std::move(worker)));
  const bench::OpenBlock block{target.model, target.recipe, target.backend, target.threads, target.context, target.instruction_set, false};
  PHISCOPE_ASSIGN(const Json reply, client->request("forecast", bench::to_json(block), kSeconds, {}, options.cancel));
  MemoryForecast forecast;
  forecast.recipe = target.recipe;
  forecast.context = reply.value("context", int64_t{0});
  forecast.weights = reply.value("weights_bytes", uint64_t{0});
  forecast.kv = reply.value("kv_bytes", uint64_t{0});
  forecast.workspace = reply.value("workspace_bytes", uint64_t{0});
  forecast.total = reply.value("total_bytes", uint64_t{0});
  forecast.available = reply.value("available_bytes", uint64_t{0});
  return forecast;
}

}  // namespace phiscope::session
