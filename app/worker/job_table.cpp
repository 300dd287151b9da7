#include "app/worker/jobs.h"

namespace phiscope::worker {
namespace {

struct JobRow {
  std::string_view type;
  Job job;
};
// To add a request: a function in a *_jobs.cpp, a row here, a line in README.md.
constexpr JobRow kJobs[] = {
    {"open", open_job},         {"prefill", prefill_job},   {"generate", generate_job}, {"hidden", hidden_job},
    {"score", score_job},       {"items", items_job},       {"memory", memory_job},     {"close", close_job},
    {"logits", logits_job},     {"identify", identify_job}, {"prepare", prepare_job},   {"forecast", forecast_job},
    {"distributions", distributions_job},
    {"quantize", quantize_job}, {"backends", backends_job}, {"probe", probe_job},
};

}  // namespace

Result<const Backend*> pick_backend(std::string_view name) {
  if (!name.empty()) return find_backend(name);
  for (const Backend* backend : backends())
    if (backend->available().ok) return backend;
  return fail(ErrorCode::unsupported, "no backend can run on this machine; see phiscope doctor");
}

Job find_job(std::string_view type) {
  for (const JobRow& row : kJobs)
    if (row.type == type) return row.job;
  return nullptr;
}

}  // namespace phiscope::worker
