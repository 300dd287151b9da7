#include "app/session/token_view.h"

#include <algorithm>
#include <cmath>

#include "app/session/stored_runs.h"
#include "core/base/platform/platform.h"
#include "core/bench/engine_json.h"
#include "core/convert/artifact.h"

namespace phiscope::session {
namespace {

constexpr double kModelSeconds = 600, kComputeSeconds = 3600;
constexpr double kSameNll = 1e-3;  // other instruction sets add in other orders

/// One scored position as it is stored.
struct StoredToken {
  int64_t window = 0, position = 0;
  double id = 0, kld = 0, nll = 0, nll_reference = 0, delta_p = 0, top1 = 0, top1_reference = 0;
};

struct Order {
  const char* name;
  double (*badness)(const StoredToken&);
};
constexpr Order kOrders[] = {
    {"kld", [](const StoredToken& t) { return t.kld; }},
    {"nll", [](const StoredToken& t) { return t.nll - t.nll_reference; }},
    {"dp", [](const StoredToken& t) { return -t.delta_p; }},
};

Result<std::vector<StoredToken>> stored_tokens(const Run& run, const std::string& text) {
  const std::string metric = text.empty() ? "perplexity" : "perplexity:" + text;
  std::vector<StoredToken> tokens;
  for (const Series& series : run.series) {
    if (series.kind != "position_scores" || series.metric != metric) continue;
    const auto column = [&](std::string_view name) -> const std::vector<double>* {
      const auto found = std::find(series.columns.begin(), series.columns.end(), name);
      return found == series.columns.end() ? nullptr : &series.rows[static_cast<size_t>(found - series.columns.begin())];
    };
    struct Field {
      const char* name;
      double StoredToken::*value;
    };
    static constexpr Field kFields[] = {{"id", &StoredToken::id}, {"kld", &StoredToken::kld}, {"nll", &StoredToken::nll},
                                        {"nll_reference", &StoredToken::nll_reference}, {"delta_p", &StoredToken::delta_p},
                                        {"top1", &StoredToken::top1}, {"top1_reference", &StoredToken::top1_reference}};
    const size_t first = tokens.size();
    for (const Field& field : kFields) {
      const std::vector<double>* values = column(field.name);
      if (values == nullptr) return fail(ErrorCode::not_found, "run {} was measured without a reference, so no position can be called worse", run.run_id);
      tokens.resize(first + values->size());
      for (size_t i = 0; i < values->size(); ++i) tokens[first + i].*field.value = (*values)[i];
    }
    for (size_t i = first; i < tokens.size(); ++i) tokens[i].window = series.item, tokens[i].position = static_cast<int64_t>(i - first);
  }
  if (tokens.empty())
    return fail(ErrorCode::not_found, "run {} scored no text{}; bench it with a suite that has a [[fidelity]] part", run.run_id,
                text.empty() ? "" : fmt::format(" called '{}'", text));
  return tokens;
}

Result<bench::Windows> windows_of(const Run& run, const std::string& text) {
  const std::string key = "convention." + (text.empty() ? "" : text + ".");
  const auto value = [&](const char* name) {
    const auto found = run.environment.find(key + name);
    return found == run.environment.end() ? std::string{} : found->second;
  };
  bench::Windows windows;
  windows.text = datasets_folder() / value("text");
  windows.chunk = std::strtoll(value("chunk").c_str(), nullptr, 10);
  windows.stride = std::strtoll(value("stride").c_str(), nullptr, 10);
  windows.max_chunks = std::strtoll(value("chunks").c_str(), nullptr, 10);
  if (windows.chunk <= 0) return fail(ErrorCode::not_found, "run {} does not say how its text was cut", run.run_id);
  return windows;
}

Result<bench::DistributionsReply> ask(const Run& run, const std::string& recipe, const bench::DistributionsBlock& block, int threads,
                                      const CallOptions& options) {
  WorkerOptions worker;
  worker.on_log = options.on_log;
  PHISCOPE_ASSIGN(const auto client, WorkerClient::start(std::move(worker)));
  const auto on_message = [&](const Json& message) {
    if (options.progress && json_string_or(message, "type", "") == "progress")
      options.progress(json_number_or(message, "fraction", 0, "worker").value_or(0), json_string_or(message, "what", ""));
  };
  const bench::OpenBlock open{run.model, recipe, run.backend, threads, block.windows.chunk, "", false, false};
  PHISCOPE_ASSIGN(const Json opened, client->request("open", bench::to_json(open), kModelSeconds, on_message, options.cancel));
  if (json_string_or(opened, "model_hash", "") != run.model_hash)
    return fail(ErrorCode::invalid_file, "{} is another model than when run {} was measured; bench it again", run.model, run.run_id);
  PHISCOPE_ASSIGN(const Json reply, client->request("distributions", bench::to_json(block), kComputeSeconds, on_message, options.cancel));
  return bench::from_json<bench::DistributionsReply>(reply);
}

}  // namespace

Result<TokensResult> worst_tokens(const TokensRequest& request, const CallOptions& options) {
  const auto* order = std::find_if(std::begin(kOrders), std::end(kOrders), [&](const Order& o) { return o.name == request.by; });
  if (order == std::end(kOrders)) return fail(ErrorCode::invalid_argument, "positions can be ordered by kld, nll or dp, not by '{}'", request.by);
  PHISCOPE_ASSIGN(const auto store, open_store(request.database));
  PHISCOPE_ASSIGN(const std::vector<Run> runs, load_runs(*store, {request.run}));
  const Run& run = runs.front();
  PHISCOPE_ASSIGN(std::vector<StoredToken> tokens, stored_tokens(run, request.text));
  const auto count = std::min<std::ptrdiff_t>(request.worst, std::ssize(tokens));
  std::partial_sort(tokens.begin(), tokens.begin() + count, tokens.end(),
                    [&](const StoredToken& a, const StoredToken& b) { return order->badness(a) > order->badness(b); });

  bench::DistributionsBlock block;
  PHISCOPE_ASSIGN(block.windows, windows_of(run, request.text));
  block.top = request.top;
  block.around = request.around;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    block.window.push_back(tokens[static_cast<size_t>(i)].window);
    block.position.push_back(tokens[static_cast<size_t>(i)].position);
  }
  PHISCOPE_ASSIGN(bench::DistributionsReply reference, ask(run, "fp32", block, request.threads, options));
  PHISCOPE_ASSIGN(bench::DistributionsReply candidate, ask(run, run.recipe, block, request.threads, options));

  TokensResult result{run.run_id, run.model, run.recipe, run.backend, block.windows.text.string(), request.by, std::ssize(tokens), {}, {}};
  double largest = 0;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    const StoredToken& token = tokens[i];
    if (candidate.places[i].target != static_cast<int32_t>(token.id))
      return fail(ErrorCode::invalid_file, "{} has changed since run {} was measured; bench the model again", result.text, run.run_id);
    largest = std::max(largest, std::fabs(-std::log(candidate.places[i].p_target) - token.nll));
    result.worst.push_back({token.window, token.position, token.kld, token.nll, token.nll_reference, token.delta_p, token.top1 == token.top1_reference,
                            std::move(reference.places[i]), std::move(candidate.places[i])});
  }
  if (largest > kSameNll)
    result.notices.push_back(fmt::format("the probabilities computed now differ from the stored ones by up to {:.3g} nat; another instruction set, or the "
                                         "recipe has changed", largest));
  return result;
}

}  // namespace phiscope::session
