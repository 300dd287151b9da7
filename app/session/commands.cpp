#include "app/session/commands.h"

#include <cmath>
#include <limits>

#include "app/session/worker_engine.h"
#include "core/base/version.h"
#include "core/bench/engine_json.h"
#include "core/bench/windows.h"
#include "core/convert/exporter.h"
#include "core/stats/summary.h"

namespace phiscope::session {

using bench::from_json;
using bench::to_json;

namespace {

constexpr double kModelSeconds = 600;    // silence allowed while a model is read
constexpr double kComputeSeconds = 3600;
constexpr double kShortSeconds = 60;

Result<std::unique_ptr<WorkerClient>> start_worker(const CallOptions& options) {
  WorkerOptions worker;
  worker.on_log = options.on_log;
  return WorkerClient::start(std::move(worker));
}

WorkerClient::OnMessage progress_to(const CallOptions& options) {
  return [&options](const Json& message) {
    if (options.progress && json_string_or(message, "type", "") == "progress")
      options.progress(json_number_or(message, "fraction", 0, "worker").value_or(0), json_string_or(message, "what", ""));
  };
}

/// A worker with the target's model open.
struct Opened {
  std::unique_ptr<WorkerClient> client;
  bench::OpenReply reply;
  TargetReport report;
};
Result<Opened> open_target(const Target& target, int64_t context, const CallOptions& options, bool layer_by_layer = false) {
  Opened opened;
  PHISCOPE_ASSIGN(opened.client, start_worker(options));
  bench::OpenBlock block{target.model, target.recipe, target.backend, target.threads, target.context > 0 ? target.context : context,
                         target.instruction_set, false, layer_by_layer};
  PHISCOPE_ASSIGN(const Json json, opened.client->request("open", to_json(block), kModelSeconds, progress_to(options), options.cancel));
  PHISCOPE_ASSIGN(opened.reply, from_json<bench::OpenReply>(json));
  const bench::OpenReply& r = opened.reply;
  opened.report = {r.backend, r.recipe, r.model_hash, r.artifact_hash, r.effective, r.notices};
  return opened;
}

double seconds_between(int64_t begin_ns, int64_t end_ns) { return static_cast<double>(end_ns - begin_ns) * 1e-9; }

GenerateResult timings_of(const bench::GenerateReply& reply, double load_s) {
  GenerateResult result;
  result.load_s = load_s;
  result.ids = reply.ids;
  result.stop_reason = reply.finish;
  result.prompt_tokens = reply.prompt_tokens;
  if (reply.token_ns.empty()) return result;
  result.prefill_s = seconds_between(reply.handed_ns, reply.token_ns.front());
  result.decode_s = seconds_between(reply.token_ns.front(), reply.token_ns.back());
  if (result.prefill_s > 0) result.prefill_tokens_per_s = static_cast<double>(reply.prompt_tokens) / result.prefill_s;
  if (result.decode_s > 0) result.decode_tokens_per_s = static_cast<double>(reply.token_ns.size() - 1) / result.decode_s;
  return result;
}

}  // namespace

Result<GenerateResult> generate(const GenerateRequest& request, const std::function<void(std::string_view text)>& on_text,
                                const CallOptions& options) {
  PHISCOPE_TRY(check_sampling(request.sampling));
  PHISCOPE_ASSIGN(const Opened opened, open_target(request.target, 0, options));
  bench::GenerateBlock block;
  block.prompt = request.ids;
  block.text_prompt = request.prompt;
  block.chat = request.chat;
  for (const ChatMessage& message : request.messages) {
    block.chat_roles.push_back(message.role);
    block.chat_contents.push_back(message.content);
  }
  block.max_new_tokens = request.max_new_tokens;
  block.fixed_length = request.ignore_stop;
  block.sampling = request.sampling;
  Json fields = to_json(block);
  fields["stream"] = true;
  const auto on_message = [&](const Json& message) {
    if (on_text && json_string_or(message, "type", "") == "token") on_text(json_string_or(message, "text", ""));
  };
  PHISCOPE_ASSIGN(const Json json, opened.client->request("generate", std::move(fields), kComputeSeconds, on_message, options.cancel));
  PHISCOPE_ASSIGN(const bench::GenerateReply reply, from_json<bench::GenerateReply>(json));
  GenerateResult result = timings_of(reply, opened.reply.load_s);
  result.text = json_string_or(json, "text", "");
  result.report = opened.report;
  return result;
}

Result<LogitsResult> write_logits(const LogitsRequest& request, const CallOptions& options) {
  PHISCOPE_ASSIGN(const Opened opened, open_target(request.target, static_cast<int64_t>(request.ids.size()), options));
  PHISCOPE_ASSIGN(const Json reply, opened.client->request("logits", {{"ids", request.ids}, {"out", std::filesystem::absolute(request.out).string()}},
                                                           kComputeSeconds, progress_to(options), options.cancel));
  LogitsResult result;
  PHISCOPE_ASSIGN(result.positions, json_int(reply, "positions", "worker", 0, std::numeric_limits<int64_t>::max()));
  PHISCOPE_ASSIGN(result.vocab, json_int(reply, "vocab", "worker", 0, std::numeric_limits<int64_t>::max()));
  result.report = opened.report;
  return result;
}

Result<PerplexityResult> perplexity(const PerplexityRequest& request, const CallOptions& options) {
  PHISCOPE_ASSIGN(Opened opened, open_target(request.target, request.chunk, options, request.layer_by_layer));
  if (opened.reply.synthetic)
    return fail(ErrorCode::unsupported, "{} has random weights; its perplexity says nothing", request.target.model);
  if (request.chunk > opened.reply.context)
    return fail(ErrorCode::invalid_argument, "a chunk of {} tokens does not fit the context of {}; use --chunk {} or less", request.chunk,
                opened.reply.context, opened.reply.context);
  WorkerEngine engine(std::move(opened.client), options.cancel);
  const bench::Windows windows{std::filesystem::absolute(request.file), request.chunk, request.stride, request.max_chunks};
  PHISCOPE_ASSIGN(const bench::ScoreReply reply, engine.score(windows, {}, options.progress));
  PerplexityResult result;
  std::vector<double> nll;
  for (const Series& series : reply.windows) {
    for (size_t c = 0; c < series.columns.size(); ++c) {
      if (series.columns[c] != "nll") continue;
      result.chunk_nll.push_back(stats::mean(series.rows[c]));
      nll.insert(nll.end(), series.rows[c].begin(), series.rows[c].end());
    }
  }
  result.nll_mean = stats::mean(nll);
  result.nll_standard_error = stats::standard_error(nll);
  result.perplexity = std::exp(result.nll_mean);
  result.scored_tokens = static_cast<int64_t>(nll.size());
  result.chunks = reply.chunks;
  result.chunk = request.chunk;
  result.stride = request.stride;
  result.scored_from = reply.scored_from;
  result.bos = reply.bos;
  result.report = opened.report;
  return result;
}

Result<QuantizeResult> quantize(const QuantizeRequest& request, const CallOptions& options) {
  const std::string format = request.format.empty() ? "phiscope" : request.format;
  PHISCOPE_ASSIGN([[maybe_unused]] const ExportFormat* known, find_export_format(format));
  if (format == "phiscope" && request.recipe.empty())
    return fail(ErrorCode::invalid_argument, "--recipe is required for an artifact; phiscope recipe list shows what there is");
  PHISCOPE_ASSIGN(const auto client, start_worker(options));
  const Json fields{{"model", request.model}, {"recipe", request.recipe.empty() ? "source" : request.recipe}, {"format", format},
                    {"out", std::filesystem::absolute(request.out).string()}, {"threads", request.threads}};
  PHISCOPE_ASSIGN(const Json reply, client->request("quantize", fields, kModelSeconds, progress_to(options), options.cancel));
  const Json artifact = reply.value("artifact", Json::object());
  QuantizeResult result;
  result.path = json_string_or(artifact, "path", "");
  result.bytes = artifact.value("bytes", uint64_t{0});
  result.hash = json_string_or(artifact, "hash", "");
  result.recipe = json_string_or(artifact, "recipe", "");
  result.seconds = reply.value("seconds", 0.0);
  result.bits_per_weight = reply.value("bits_per_weight", 0.0);
  for (const Json& row : reply.value("tensors", Json::array())) {
    QuantizedTensor tensor;
    tensor.name = json_string_or(row, "name", "");
    tensor.format = json_string_or(row, "format", "");
    const bool is_exact = !row.contains("sqnr_db") || row["sqnr_db"].is_null();
    tensor.error = {row.value("mse", 0.0), is_exact ? std::numeric_limits<double>::infinity() : row["sqnr_db"].get<double>(),
                    row.value("max_abs_error", 0.0)};
    tensor.from_source = row.value("from_source", false);
    tensor.bytes = row.value("bytes", uint64_t{0});
    result.tensors.push_back(std::move(tensor));
  }
  for (const Json& notice : reply.value("notices", Json::array())) result.notices.push_back(notice.get<std::string>());
  return result;
}

Result<std::vector<BackendDescription>> list_backends(const CallOptions& options) {
  PHISCOPE_ASSIGN(const auto client, start_worker(options));
  PHISCOPE_ASSIGN(const Json reply, client->request("backends", Json::object(), kShortSeconds, {}, options.cancel));
  std::vector<BackendDescription> backends;
  for (const Json& row : reply.value("backends", Json::array()))
    backends.push_back({json_string_or(row, "name", ""), json_string_or(row, "description", ""), {row.value("ok", false), json_string_or(row, "reason", "")}});
  return backends;
}

Result<std::vector<ProbeResult>> probe_device(const std::string& backend, int threads, const CallOptions& options) {
  PHISCOPE_ASSIGN(const std::vector<BackendDescription> known, list_backends(options));
  PHISCOPE_ASSIGN(const auto client, start_worker(options));
  std::vector<ProbeResult> results;
  for (const BackendDescription& one : known) {
    if (backend.empty() ? !one.available.ok : one.name != backend) continue;
    auto reply = client->request("probe", {{"backend", one.name}, {"threads", threads}}, kModelSeconds, progress_to(options), options.cancel);
    if (!reply && backend.empty() && reply.error().code == ErrorCode::unsupported) continue;  // a backend that measures nothing
    if (!reply) return fail(std::move(reply.error()));
    ProbeResult result{one.name, {}};
    for (const Json& row : reply->value("values", Json::array()))
      result.values.push_back({json_string_or(row, "id", ""), row.value("value", 0.0), json_string_or(row, "unit", "")});
    results.push_back(std::move(result));
  }
  if (!results.empty() || backend.empty()) return results;
  std::string names;
  for (const BackendDescription& one : known) names += (names.empty() ? "" : ", ") + one.name;
  return fail(ErrorCode::invalid_argument, "there is no backend '{}'; {} exist", backend, names);
}

Result<std::string> check_worker(const CallOptions& options) {
  PHISCOPE_ASSIGN(const auto client, start_worker(options));
  return fmt::format("{} {}", worker_program().string(), kVersion);
}

}  // namespace phiscope::session
