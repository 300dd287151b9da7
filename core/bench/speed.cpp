#include "core/bench/speed.h"

#include <algorithm>

#include "core/base/files.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

constexpr int64_t kColdPrompt = 128;
// Prompts of their own: no timed repetition has seen them.
constexpr uint64_t kColdSeed = uint64_t{1} << 62, kSustainedSeed = uint64_t{1} << 61;

double milliseconds(int64_t begin_ns, int64_t end_ns) { return static_cast<double>(end_ns - begin_ns) * 1e-6; }
double seconds(int64_t begin_ns, int64_t end_ns) { return static_cast<double>(end_ns - begin_ns) * 1e-9; }

std::string shape_text(int64_t length, int64_t depth) {
  return depth > 0 ? fmt::format("{} at depth {}", length, depth) : std::to_string(length);
}

Series timeline_of(const GenerateReply& reply, std::string metric) {
  Series series{"token_timeline", std::move(metric), 0, 0, {"time_ns"}, {{}}};
  for (const int64_t time : reply.token_ns) series.rows[0].push_back(static_cast<double>(time - reply.handed_ns));
  return series;
}

Status check_times(bool is_increasing, std::string_view what) {
  if (is_increasing) return {};
  return fail(ErrorCode::internal, "the engine's times of a {} do not increase, so they cannot be used", what);
}

SpeedStep prefill_step(const SpeedShape& shape) {
  SpeedStep step;
  step.metric = shaped_metric("prefill_tokens_per_s", shape.prompt, shape.depth);
  step.metrics = {step.metric};
  step.what = "prefill " + shape_text(shape.prompt, shape.depth);
  step.tokens = shape.prompt + shape.depth;
  step.run = [shape, metric = step.metric](Engine& engine, uint64_t seed) -> Result<StepOutcome> {
    PHISCOPE_ASSIGN(const PrefillReply reply, engine.prefill({.tokens = shape.prompt, .depth = shape.depth, .seed = seed}));
    PHISCOPE_TRY(check_times(reply.end_ns > reply.start_ns, "prefill"));
    StepOutcome outcome;
    outcome.seconds = seconds(reply.start_ns, reply.end_ns);
    outcome.primary = static_cast<double>(shape.prompt) / outcome.seconds;
    outcome.samples = {{metric, 0, 0, outcome.primary}};
    if (reply.energy_j >= 0)
      outcome.samples.push_back({shaped_metric("energy_j_per_prompt_token", shape.prompt, shape.depth), 0, 0,
                                 reply.energy_j / static_cast<double>(shape.prompt)});
    return outcome;
  };
  return step;
}

SpeedStep decode_step(const SpeedShape& shape) {
  SpeedStep step;
  step.metric = shaped_metric("decode_tokens_per_s", shape.generate, shape.depth);
  step.metrics = {step.metric, shaped_metric("tpot_ms", shape.generate, shape.depth), shaped_metric("ttst_ms", shape.generate, shape.depth)};
  step.what = "decode " + shape_text(shape.generate, shape.depth);
  step.tokens = std::max<int64_t>(shape.depth, 0) + 1 + shape.generate;
  step.is_decode = true;
  step.run = [shape, metric = step.metric](Engine& engine, uint64_t seed) -> Result<StepOutcome> {
    GenerateBlock block;
    block.random_prompt = 1;
    block.depth = shape.depth;
    block.max_new_tokens = shape.generate;
    block.seed = seed;
    PHISCOPE_ASSIGN(const GenerateReply reply, engine.generate(block));
    if (static_cast<int64_t>(reply.token_ns.size()) != shape.generate)
      return fail(ErrorCode::internal, "the engine gave {} tokens where {} were asked for", reply.token_ns.size(), shape.generate);
    PHISCOPE_TRY(check_times(reply.token_ns.back() > reply.token_ns.front(), "generation"));
    StepOutcome outcome;
    outcome.seconds = seconds(reply.token_ns.front(), reply.token_ns.back());
    outcome.samples = decode_samples(reply, shape.generate, shape.depth, reply.idle_w);
    outcome.primary = outcome.samples[0].value;
    outcome.timeline = timeline_of(reply, metric);
    return outcome;
  };
  return step;
}

SpeedStep first_token_step(const SpeedShape& shape) {
  SpeedStep step;
  step.metric = shaped_metric("ttft_model_ms", shape.prompt, shape.depth);
  step.metrics = {step.metric};
  step.what = "first token after " + shape_text(shape.prompt, shape.depth);
  step.tokens = shape.prompt + shape.depth + shape.generate;
  step.run = [shape, metric = step.metric](Engine& engine, uint64_t seed) -> Result<StepOutcome> {
    GenerateBlock block;
    block.random_prompt = shape.prompt;
    block.depth = shape.depth;
    block.max_new_tokens = shape.generate;
    block.seed = seed;
    PHISCOPE_ASSIGN(const GenerateReply reply, engine.generate(block));
    PHISCOPE_TRY(check_times(!reply.token_ns.empty() && reply.token_ns[0] > reply.handed_ns, "first token"));
    StepOutcome outcome;
    outcome.primary = milliseconds(reply.handed_ns, reply.token_ns[0]);
    outcome.seconds = seconds(reply.handed_ns, reply.token_ns.back());
    outcome.samples = {{metric, 0, 0, outcome.primary}};
    outcome.timeline = timeline_of(reply, metric);
    return outcome;
  };
  return step;
}

/// The first `bytes` of a text, cut back to a whole character and a whole word.
std::string beginning(std::string text, int64_t bytes) {
  if (static_cast<int64_t>(text.size()) <= bytes) return text;
  text.resize(static_cast<size_t>(bytes));
  const size_t space = text.find_last_of(" \n");
  if (space != std::string::npos && space > 0) text.resize(space);
  return sanitize_utf8(text);
}

/// The number of tokens depends on the tokenizer, so the metric's name comes from the reply.
SpeedStep request_step(std::string text, int64_t bytes) {
  SpeedStep step;
  step.metric = fmt::format("ttft_request_ms of {} bytes", bytes);
  step.metrics = {"ttft_request_ms"};
  step.what = fmt::format("request of {} bytes", bytes);
  step.tokens = 2;
  step.needs_tokenizer = true;
  step.run = [text = std::move(text)](Engine& engine, uint64_t) -> Result<StepOutcome> {
    GenerateBlock block;
    block.text_prompt = text;
    block.max_new_tokens = 1;
    PHISCOPE_ASSIGN(const GenerateReply reply, engine.generate(block));
    PHISCOPE_TRY(check_times(!reply.token_ns.empty() && reply.token_ns[0] > reply.request_ns, "request"));
    StepOutcome outcome;
    outcome.primary = milliseconds(reply.request_ns, reply.token_ns[0]);
    outcome.seconds = outcome.primary * 1e-3;
    outcome.samples = {{shaped_metric("ttft_request_ms", reply.prompt_tokens, 0), 0, 0, outcome.primary}};
    return outcome;
  };
  return step;
}

}  // namespace

std::vector<Sample> decode_samples(const GenerateReply& reply, int64_t length, int64_t depth, double idle_w) {
  const auto gaps = static_cast<double>(reply.token_ns.size() - 1);
  const double span_s = seconds(reply.token_ns.front(), reply.token_ns.back());
  std::vector<Sample> samples{{shaped_metric("decode_tokens_per_s", length, depth), 0, 0, gaps / span_s},
                              {shaped_metric("tpot_ms", length, depth), 0, 0, 1e3 * span_s / gaps},
                              {shaped_metric("ttst_ms", length, depth), 0, 0, milliseconds(reply.token_ns[0], reply.token_ns[1])}};
  if (reply.energy_j < 0) return samples;
  // The counter covers one pass a token; the time stamps one fewer.
  const double n = gaps + 1, window_s = span_s * n / gaps;
  const auto add = [&](std::string_view family, double value) { samples.push_back({shaped_metric(family, length, depth), 0, 0, value}); };
  add("energy_j_per_token", reply.energy_j / n);
  if (idle_w >= 0) add("energy_j_per_token_net", (reply.energy_j - idle_w * window_s) / n);
  if (reply.energy_j > 0) add("tokens_per_s_per_w", n / reply.energy_j);
  add("power_w", reply.energy_j / window_s);
  return samples;
}

Result<ColdStart> cold_start(Engine& engine, const OpenReply& opened) {
  GenerateBlock block;
  block.random_prompt = std::clamp<int64_t>(opened.context / 2, 1, kColdPrompt);
  block.max_new_tokens = 1;
  block.seed = kColdSeed;
  PHISCOPE_ASSIGN(const GenerateReply reply, engine.generate(block));
  PHISCOPE_TRY(check_times(!reply.token_ns.empty() && reply.token_ns[0] > reply.handed_ns, "first request"));
  const double first_s = seconds(reply.handed_ns, reply.token_ns[0]);
  return ColdStart{first_s, opened.open_s + opened.load_s + first_s};
}

Result<Series> sustained_series(Engine& engine, const SustainedPart& part, const std::function<bool(double fraction)>& go_on) {
  Series series{"sustained", "sustained_ratio", 0, 0, {"time_ns", "tokens_per_s"}, {{}, {}}};
  std::optional<int64_t> begin_ns;
  for (uint64_t i = 0;; ++i) {
    GenerateBlock block;
    block.random_prompt = 1;
    block.max_new_tokens = part.generate;
    block.seed = kSustainedSeed + i;
    PHISCOPE_ASSIGN(const GenerateReply reply, engine.generate(block));
    PHISCOPE_TRY(check_times(reply.token_ns.size() > 1 && reply.token_ns.back() > reply.token_ns.front(), "generation"));
    if (!begin_ns) begin_ns = reply.handed_ns;
    series.rows[0].push_back(static_cast<double>(reply.token_ns.back() - *begin_ns));
    series.rows[1].push_back(static_cast<double>(reply.token_ns.size() - 1) / seconds(reply.token_ns.front(), reply.token_ns.back()));
    const double spent_s = seconds(*begin_ns, reply.token_ns.back());
    if (spent_s >= part.seconds || !go_on(spent_s / part.seconds)) return series;
  }
}

Result<std::vector<SpeedStep>> speed_steps(const Suite& suite) {
  std::vector<SpeedStep> prefill, decode, first;
  for (const SpeedShape& shape : suite.speed) {
    if (shape.generate == 0) prefill.push_back(prefill_step(shape));
    else if (shape.prompt == 0) decode.push_back(decode_step(shape));
    else first.push_back(first_token_step(shape));
  }
  for (const RequestPart& part : suite.requests) {
    PHISCOPE_ASSIGN(std::string text, read_file(suite.datasets / part.text));
    first.push_back(request_step(beginning(std::move(text), part.bytes), part.bytes));
  }
  std::vector<SpeedStep> steps = std::move(prefill);
  std::move(first.begin(), first.end(), std::back_inserter(steps));
  std::move(decode.begin(), decode.end(), std::back_inserter(steps));
  return steps;
}

}  // namespace phiscope::bench
