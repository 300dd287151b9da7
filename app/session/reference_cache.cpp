#include "app/session/reference_cache.h"

#include <algorithm>
#include <cstdlib>

#include "app/session/worker_engine.h"
#include "core/base/files.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/version.h"

namespace phiscope::session {
namespace {

constexpr const char* kReferenceRecipe = "fp32";

/// Beside the states: the mean divergence of the reference from itself when its residual is rounded to BF16 after every layer.
std::filesystem::path floor_path(const std::filesystem::path& states) { return states.parent_path() / (states.stem().string() + ".floor.json"); }

Result<double> read_floor(const std::filesystem::path& states) {
  PHISCOPE_ASSIGN(const Json json, read_json_file(floor_path(states)));
  return json_number(json, "kld_floor", floor_path(states).filename().string());
}

Status write_floor(bench::Engine& engine, bench::Windows windows, const std::filesystem::path& states, const CallOptions& options) {
  windows.bf16_noise = true;
  PHISCOPE_ASSIGN(const bench::ScoreReply reply, engine.score(windows, states, options.progress));
  double sum = 0;
  int64_t count = 0;
  for (const Series& series : reply.windows) {
    const auto column = std::find(series.columns.begin(), series.columns.end(), "kld");
    if (column == series.columns.end()) continue;
    for (const double kld : series.rows[static_cast<size_t>(column - series.columns.begin())]) sum += kld;
    count += static_cast<int64_t>(series.rows[0].size());
  }
  if (count == 0) return fail(ErrorCode::internal, "the reference scored no position");
  return write_file(floor_path(states), dump_line({{"kld_floor", sum / static_cast<double>(count)}, {"positions", count}}));
}

/// Everything that the bits of the states depend on. The instruction set that a worker picks follows from the processor, the forced one and the
/// environment variable that workers inherit.
Result<std::filesystem::path> cache_path(const ReferenceRequest& request, const bench::Suite& suite, const bench::FidelityPart& part) {
  PHISCOPE_ASSIGN(const std::string text, read_file(suite.datasets / part.text));
  const char* isa = std::getenv("PHISCOPE_CPU_ISA");
  Hasher hasher;
  for (const std::string& field :
       {std::string("hidden 1"), std::string(kVersion), request.model_hash, request.tokenizer_hash, request.backend, request.instruction_set,
        std::string(isa == nullptr ? "" : isa), platform::cpu_feature_names(platform::cpu_info().features), hash_text(text),
        std::to_string(part.chunk), std::to_string(part.stride), std::to_string(part.max_chunks), std::to_string(request.context)}) {
    hasher.update(field);
    hasher.update("\n");
  }
  return platform::user_cache_folder() / "hidden" / (hasher.hex() + ".f32");
}

Status compute(const ReferenceRequest& request, const bench::Suite& suite, const std::vector<std::filesystem::path>& files,
               const CallOptions& options) {
  WorkerOptions worker;
  worker.on_log = options.on_log;
  PHISCOPE_ASSIGN(auto client, WorkerClient::start(std::move(worker)));
  WorkerEngine engine(std::move(client), options.cancel);
  const bench::OpenBlock block{request.model, kReferenceRecipe, request.backend, request.threads, request.context, request.instruction_set, true};
  PHISCOPE_ASSIGN(const bench::OpenReply opened, engine.open(block, options.progress));
  for (size_t p = 0; p < suite.fidelity.size(); ++p) {
    const bench::FidelityPart& part = suite.fidelity[p];
    const bench::Windows windows{suite.datasets / part.text, std::min(part.chunk, opened.context), part.stride, part.max_chunks};
    if (!std::filesystem::exists(files[p])) PHISCOPE_TRY(engine.hidden(windows, files[p], options.progress));
    if (read_floor(files[p])) continue;
    // Without a floor the divergences still hold; only a cancel ends the pass.
    if (const Status floor = write_floor(engine, windows, files[p], options); !floor && floor.error().code == ErrorCode::cancelled)
      return fail(floor.error());
  }
  return {};
}

}  // namespace

ReferenceFiles reference_files(const ReferenceRequest& request, const bench::Suite& suite, const CallOptions& options) {
  ReferenceFiles result;
  std::vector<std::filesystem::path> files;
  bool is_complete = true;
  for (const bench::FidelityPart& part : suite.fidelity) {
    auto path = cache_path(request, suite, part);
    if (!path) {
      result.reason = path.error().message;
      return result;
    }
    is_complete = is_complete && std::filesystem::exists(*path) && read_floor(*path).has_value();
    files.push_back(std::move(*path));
  }
  if (!is_complete) {
    std::error_code problem;
    std::filesystem::create_directories(platform::user_cache_folder() / "hidden", problem);
    if (const Status status = compute(request, suite, files, options); !status) {
      result.reason = "the reference run (fp32) was not possible: " + status.error().message;
      return result;
    }
    result.computed = true;
  }
  for (const std::filesystem::path& file : files) result.floors.push_back(read_floor(file).value_or(0));
  result.files = std::move(files);
  return result;
}

}  // namespace phiscope::session
