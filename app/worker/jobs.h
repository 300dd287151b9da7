#pragma once
// What a request does. A job gets the request and answers with the fields of its result.

#include <functional>
#include <istream>
#include <string_view>

#include "core/base/json.h"
#include "core/base/result.h"
#include "core/bench/local_engine.h"
#include "core/job/cancel.h"

namespace phiscope::worker {

struct JobContext {
  bench::LocalEngine& engine;
  const CancelToken& cancel;                       // for jobs that do not go through the engine
  bench::Progress progress;                        // sends at most ten messages a second
  std::function<void(const Json& message)> send;   // "type" and "id" are added where they are missing
};

/// find_backend(), or the best available one for an empty name.
Result<const Backend*> pick_backend(std::string_view name);

using Job = Result<Json> (*)(const Json& request, JobContext& context);
/// Null for unknown types.
Job find_job(std::string_view type);

// engine_jobs.cpp
Result<Json> open_job(const Json& request, JobContext& context);
Result<Json> prefill_job(const Json& request, JobContext& context);
Result<Json> generate_job(const Json& request, JobContext& context);
Result<Json> hidden_job(const Json& request, JobContext& context);
Result<Json> score_job(const Json& request, JobContext& context);
Result<Json> distributions_job(const Json& request, JobContext& context);
Result<Json> items_job(const Json& request, JobContext& context);
Result<Json> memory_job(const Json& request, JobContext& context);
Result<Json> close_job(const Json& request, JobContext& context);
Result<Json> logits_job(const Json& request, JobContext& context);

// model_jobs.cpp
Result<Json> identify_job(const Json& request, JobContext& context);
Result<Json> prepare_job(const Json& request, JobContext& context);
Result<Json> forecast_job(const Json& request, JobContext& context);
Result<Json> quantize_job(const Json& request, JobContext& context);
Result<Json> backends_job(const Json& request, JobContext& context);
Result<Json> probe_job(const Json& request, JobContext& context);

/// Serves requests until the parent is gone. Returns the process's exit status.
int serve(std::istream& input, int output);

}  // namespace phiscope::worker
