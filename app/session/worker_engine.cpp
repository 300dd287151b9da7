#include "app/session/worker_engine.h"

#include "core/bench/engine_json.h"
#include "core/bench/series_file.h"

namespace phiscope::session {

using namespace bench;

WorkerEngine::WorkerEngine(std::unique_ptr<WorkerClient> client, const CancelToken* cancel, SilenceLimits limits)
    : client_(std::move(client)), cancel_(cancel), limits_(limits) {}
WorkerEngine::~WorkerEngine() = default;

Result<Json> WorkerEngine::ask(std::string_view type, Json fields, double limit_s, const bench::Progress& progress) {
  const auto on_message = [&](const Json& message) {
    if (progress && json_string_or(message, "type", "") == "progress")
      progress(json_number_or(message, "fraction", 0, "worker").value_or(0), json_string_or(message, "what", ""));
  };
  return client_->request(type, std::move(fields), limit_s, on_message, cancel_);
}

Result<OpenReply> WorkerEngine::open(const OpenBlock& block, const bench::Progress& progress) {
  PHISCOPE_ASSIGN(const Json reply, ask("open", to_json(block), limits_.open, progress));
  return from_json<OpenReply>(reply);
}

Result<PrefillReply> WorkerEngine::prefill(const PrefillBlock& block) {
  PHISCOPE_ASSIGN(const Json reply, ask("prefill", to_json(block), limits_.prefill));
  return from_json<PrefillReply>(reply);
}

Result<GenerateReply> WorkerEngine::generate(const GenerateBlock& block) {
  PHISCOPE_ASSIGN(const Json reply, ask("generate", to_json(block), limits_.generate));
  return from_json<GenerateReply>(reply);
}

Result<HiddenReply> WorkerEngine::hidden(const Windows& windows, const std::filesystem::path& out, const bench::Progress& progress) {
  Json fields = to_json(windows);
  fields["out"] = out.string();
  PHISCOPE_ASSIGN(const Json reply, ask("hidden", std::move(fields), limits_.windows, progress));
  return from_json<HiddenReply>(reply);
}

Result<ScoreReply> WorkerEngine::score(const Windows& windows, const std::filesystem::path& reference_hidden, const bench::Progress& progress) {
  const std::filesystem::path out = client_->scratch_folder() / "score.series";
  Json fields = to_json(windows);
  fields["reference_hidden"] = reference_hidden.string();
  fields["out"] = out.string();
  PHISCOPE_ASSIGN(const Json json, ask("score", std::move(fields), limits_.windows, progress));
  PHISCOPE_ASSIGN(ScoreReply reply, from_json<ScoreReply>(json));
  PHISCOPE_ASSIGN(reply.windows, read_series_file(out));
  std::error_code ignored;
  std::filesystem::remove(out, ignored);
  return reply;
}

Result<ItemsReply> WorkerEngine::items(const ItemsBlock& block, const bench::Progress& progress) {
  const std::filesystem::path out = client_->scratch_folder() / "items.series";
  Json fields = to_json(block);
  fields["out"] = out.string();
  PHISCOPE_TRY(ask("items", std::move(fields), limits_.items, progress));
  PHISCOPE_ASSIGN(std::vector<Series> series, read_series_file(out));
  std::error_code ignored;
  std::filesystem::remove(out, ignored);
  if (series.size() != 2) return fail(ErrorCode::internal, "the worker wrote {} series for one task", series.size());
  return ItemsReply{std::move(series[0]), std::move(series[1])};
}

Result<MemoryReply> WorkerEngine::memory() {
  PHISCOPE_ASSIGN(const Json reply, ask("memory", Json::object(), limits_.other));
  return from_json<MemoryReply>(reply);
}

Status WorkerEngine::close() {
  PHISCOPE_TRY(ask("close", Json::object(), limits_.other));
  return {};
}

void WorkerEngine::cancel() { client_->cancel(); }

}  // namespace phiscope::session
