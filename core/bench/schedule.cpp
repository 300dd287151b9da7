#include "core/bench/schedule.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/bench/catalogue.h"
#include "core/bench/environment.h"
#include "core/bench/repetitions.h"
#include "core/bench/speed.h"

namespace phiscope::bench {
namespace {

// Shares of a run's progress, from what a quick suite on a small model takes.
constexpr double kOpenShare = 0.15, kSpeedShare = 0.35, kFidelityShare = 0.25, kTaskShare = 0.2;
// More spread than this in a shape that ended by a cap deserves a warning.
constexpr double kNoisyRelativeSd = 0.05;
constexpr int64_t kLeastContext = 1024;  // room for the prompts of tasks

bool is_synthetic(const Candidate& candidate) { return candidate.opened.synthetic; }

/// Errors after which the engine cannot be used; the others cost only the part that met them.
bool ends_run(const Error& error) {
  switch (error.code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_file:
    case ErrorCode::not_found:
    case ErrorCode::unsupported: return false;
    default: return true;
  }
}

/// Adds the time until its end to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(int64_t& sum_ns) : sum_ns_(sum_ns), begin_ns_(monotonic_ns()) {}
  ~Stopwatch() { sum_ns_ += monotonic_ns() - begin_ns_; }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  int64_t& sum_ns_;
  int64_t begin_ns_;
};

class Schedule {
 public:
  Schedule(std::span<Candidate> candidates, const Suite& suite, const Hooks& hooks)
      : candidates_(candidates), suite_(suite), hooks_(hooks), progress_(candidates.size(), 0), spent_ns_(candidates.size(), 0) {}

  void run() {
    for (size_t i = 0; i < candidates_.size(); ++i) open(i);
    speed();
    for (size_t i = 0; i < candidates_.size(); ++i) {
      {
        const Stopwatch stopwatch(spent_ns_[i]);
        if (is_ready(i)) fidelity(i);
        if (is_ready(i)) tasks(i);
        if (is_ready(i)) output_check(i);
      }
      finish(i);
    }
  }

 private:
  void tell(size_t i, double fraction, std::string_view what) {
    progress_[i] = std::max(progress_[i], std::min(fraction, 1.0));
    if (hooks_.on_progress) hooks_.on_progress(i, progress_[i], what);
  }

  Progress part(size_t i, double begin, double share) {
    return [this, i, begin, share](double fraction, std::string_view what) { tell(i, begin + share * fraction, what); };
  }

  /// Live, and nobody asked to stop.
  bool is_ready(size_t i) {
    Candidate& c = candidates_[i];
    if (c.is_live && hooks_.is_cancelled && hooks_.is_cancelled()) stop(i, Error{ErrorCode::cancelled, "the user asked to stop"}, false);
    return c.is_live;
  }

  void stop(size_t i, const Error& error, bool while_opening) {
    end_run(candidates_[i].run, error, while_opening);
    candidates_[i].is_live = false;
  }

  /// A part that could not be measured: the metrics get the reason, or the run ends.
  void skip(size_t i, const std::vector<std::string>& metrics, const Error& error) {
    if (ends_run(error)) return stop(i, error, false);
    for (const std::string& metric : metrics) candidates_[i].run.environment["skip." + metric] = error.message;
  }

  void sample(size_t i, std::string metric, double value) { candidates_[i].run.samples.push_back({std::move(metric), 0, 0, value}); }

  void checkpoint(size_t i, const char* name) {
    Candidate& c = candidates_[i];
    const auto reply = c.engine->memory();
    if (!reply) return skip(i, {fmt::format("rss_bytes:{}", name)}, reply.error());
    if (reply->resident > 0) sample(i, fmt::format("rss_bytes:{}", name), static_cast<double>(reply->resident));
    peak_[i] = std::max(peak_[i], reply->peak_resident);
    last_memory_[i] = *reply;
  }

  void open(size_t i) {
    Candidate& c = candidates_[i];
    const Stopwatch stopwatch(spent_ns_[i]);
    if (hooks_.is_cancelled && hooks_.is_cancelled()) return stop(i, Error{ErrorCode::cancelled, "the user asked to stop"}, true);
    for (auto& [key, value] : probe_environment()) c.run.environment.emplace(key, value);
    add_load(c.run.environment, "begin");
    warn_of_load(c.run);
    tell(i, 0, "opening");
    c.is_live = true;
    checkpoint(i, "baseline");
    if (!c.is_live) return;
    auto opened = c.engine->open(c.block, part(i, 0, kOpenShare));
    if (!opened) return stop(i, opened.error(), true);
    c.opened = std::move(*opened);
    describe(c);
    record_size(i);
    checkpoint(i, "loaded");
  }

  static void warn_of_load(Run& run) {
    const double load = platform::system_load().load_average_1min;
    const int cores = platform::cpu_info().usable_cores;
    if (load <= cores) return;
    run.warnings.push_back({"disturbed", fmt::format("the load average was {:.1f} on {} cores when the run began", load, cores),
                            "close other programs and run again"});
  }

  static void describe(Candidate& c) {
    const OpenReply& o = c.opened;
    Run& run = c.run;
    run.model_hash = o.model_hash;
    run.artifact_hash = o.artifact_hash;
    run.tokenizer_hash = o.tokenizer_hash;
    run.backend = o.backend.empty() ? run.backend : o.backend;
    run.threads = o.effective.threads;
    run.effective = fmt::format("{}; activations {}; accumulate {}; KV {}; {}", o.effective.weights, o.effective.activations,
                                o.effective.accumulate, o.effective.kv, o.effective.instruction_set);
    auto& e = run.environment;
    e["model.name"] = o.model_name;
    e["model.context"] = std::to_string(o.context);
    e["model.parameters"] = std::to_string(o.parameters);
    e["model.synthetic"] = o.synthetic ? "yes" : "no";
    e["instruction_set"] = o.effective.instruction_set;
    e["effective.weights"] = o.effective.weights;
    e["effective.activations"] = o.effective.activations;
    e["effective.accumulate"] = o.effective.accumulate;
    e["effective.kv"] = o.effective.kv;
    e["artifact.from_cache"] = o.artifact_made || c.quantize_s ? "no" : "yes";
    for (const std::string& note : o.effective.notes) run.warnings.push_back({"precision", note, ""});
    for (const std::string& notice : o.notices) run.warnings.push_back({"model", notice, ""});
  }

  void record_size(size_t i) {
    const OpenReply& o = candidates_[i].opened;
    sample(i, "file_bytes", static_cast<double>(o.file_bytes));
    sample(i, "bits_per_weight", o.bits_per_weight);
    sample(i, "weights_bytes", static_cast<double>(o.memory.weights_private + o.memory.weights_mapped));
    sample(i, shaped_metric("kv_bytes", o.context, 0), static_cast<double>(o.memory.kv_per_token) * static_cast<double>(o.context));
    sample(i, "load_s", o.load_s);
    const std::optional<double> quantize_s = o.artifact_made ? std::optional(o.quantize_s) : candidates_[i].quantize_s;
    if (quantize_s) sample(i, "quantize_s", *quantize_s);
    else candidates_[i].run.environment["skip.quantize_s"] = o.synthetic ? "random weights are made while loading" : "the artifact came from the cache";
    if (o.memory.bytes_per_decode_token > 0) sample(i, "decode_bytes", static_cast<double>(o.memory.bytes_per_decode_token));
  }

  void speed() {
    auto steps = speed_steps(suite_);
    for (size_t i = 0; i < candidates_.size(); ++i)
      if (!steps && is_ready(i)) skip(i, {"prefill_tokens_per_s", "decode_tokens_per_s"}, steps.error());
    if (!steps) return;
    for (size_t s = 0; s < steps->size(); ++s) {
      if (s > 0 && (*steps)[s].is_decode && !(*steps)[s - 1].is_decode) all_checkpoint("after_prefill");
      speed_shape((*steps)[s], s, kOpenShare + kSpeedShare * static_cast<double>(s) / static_cast<double>(steps->size()));
    }
    all_checkpoint("after_decode");
    // Before the fidelity part brings in the reference's head: this is what a deployment needs.
    for (size_t i = 0; i < candidates_.size(); ++i)
      if (candidates_[i].is_live) record_peak(i);
  }

  void record_peak(size_t i) {
    if (peak_[i] > 0) sample(i, "peak_rss_bytes", static_cast<double>(peak_[i]));
    peak_.erase(i);
  }

  void all_checkpoint(const char* name) {
    for (size_t i = 0; i < candidates_.size(); ++i)
      if (is_ready(i)) checkpoint(i, name);
  }

  bool fits(size_t i, const SpeedStep& step) {
    Candidate& c = candidates_[i];
    if (step.tokens > c.opened.context) {
      skip(i, step.metrics, Error{ErrorCode::unsupported, fmt::format("the shape needs {} positions, this model was opened with {}", step.tokens,
                                                                      c.opened.context)});
      return false;
    }
    if (step.needs_tokenizer && is_synthetic(c)) {
      skip(i, step.metrics, Error{ErrorCode::unsupported, "a synthetic model has no tokenizer"});
      return false;
    }
    return true;
  }

  /// One repetition of one candidate; nothing when it failed (then it is out of this shape).
  std::optional<StepOutcome> repeat(size_t i, const SpeedStep& step, uint64_t seed) {
    if (!is_ready(i)) return std::nullopt;
    const Stopwatch stopwatch(spent_ns_[i]);
    auto outcome = step.run(*candidates_[i].engine, seed);
    if (outcome) return std::move(*outcome);
    skip(i, step.metrics, outcome.error());
    return std::nullopt;
  }

  void speed_shape(const SpeedStep& step, size_t number, double fraction) {
    std::vector<size_t> members;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (!is_ready(i) || !fits(i, step)) continue;
      tell(i, fraction, step.what);
      // Seeds below 2^32 are warm-ups: no measured repetition sees their ids.
      WarmUp warm(suite_.max_warmups, suite_.max_seconds_per_shape);
      bool works = true;
      while (works && !warm.done()) {
        const auto outcome = repeat(i, step, static_cast<uint64_t>(warm.count()) + 1);
        works = outcome.has_value();
        if (works) warm.add(outcome->primary, outcome->seconds);
      }
      if (works) members.push_back(i);
    }
    take_turns(step, number, members);
  }

  /// A B B A: even repetitions go forward, odd ones back, until every member has enough.
  void take_turns(const SpeedStep& step, size_t number, std::vector<size_t> members) {
    const Repetitions::Limits limits{suite_.min_repetitions, suite_.max_repetitions, suite_.max_seconds_per_shape, suite_.stop_relative_sd};
    std::map<size_t, Repetitions> state;
    for (const size_t i : members) state.emplace(i, Repetitions(limits));
    const auto all_done = [&] {
      return std::all_of(members.begin(), members.end(), [&](size_t i) { return state.at(i).done(); });
    };
    for (int64_t repetition = 0; !members.empty() && !all_done(); ++repetition) {
      const uint64_t seed = (static_cast<uint64_t>(number + 1) << 32) + static_cast<uint64_t>(repetition);
      std::vector<size_t> order = members;
      if (repetition % 2 == 1) std::reverse(order.begin(), order.end());
      for (const size_t i : order) {
        auto outcome = repeat(i, step, seed);
        if (!outcome) {
          std::erase(members, i);
          continue;
        }
        state.at(i).add(outcome->primary, outcome->seconds);
        keep(candidates_[i].run, std::move(*outcome), repetition);
      }
    }
    for (const size_t i : members) note_stop(candidates_[i].run, step, state.at(i));
  }

  static void keep(Run& run, StepOutcome outcome, int64_t repetition) {
    for (Sample& sample : outcome.samples) {
      sample.repetition = repetition;
      run.samples.push_back(std::move(sample));
    }
    if (!outcome.timeline) return;
    outcome.timeline->repetition = repetition;
    run.series.push_back(std::move(*outcome.timeline));
  }

  static void note_stop(Run& run, const SpeedStep& step, const Repetitions& repetitions) {
    run.environment["stop." + step.metric] = repetitions.reason();
    if (repetitions.is_stable() || repetitions.relative_sd() <= kNoisyRelativeSd) return;
    run.warnings.push_back({"noisy", fmt::format("{} varied by {:.1f} % between repetitions", step.metric, 100 * repetitions.relative_sd()),
                            "close other programs and run again"});
  }

  void fidelity(size_t i) {
    Candidate& c = candidates_[i];
    const double begin = kOpenShare + kSpeedShare;
    for (size_t p = 0; p < suite_.fidelity.size() && is_ready(i); ++p) {
      const FidelityPart& part_of_suite = suite_.fidelity[p];
      const std::string suffix = part_of_suite.name.empty() ? "" : ":" + part_of_suite.name;
      if (is_synthetic(c)) {
        for (const char* metric : {"perplexity", "kld_mean", "same_top1"})
          c.run.environment[fmt::format("skip.{}{}", metric, suffix)] = "random weights say nothing about quality";
        continue;
      }
      const std::filesystem::path reference = p < c.reference_hidden.size() ? c.reference_hidden[p] : std::filesystem::path{};
      Windows windows{suite_.datasets / part_of_suite.text, part_of_suite.chunk, part_of_suite.stride, part_of_suite.max_chunks};
      windows.chunk = std::min(windows.chunk, c.opened.context);
      const double share = kFidelityShare / static_cast<double>(suite_.fidelity.size());
      auto reply = c.engine->score(windows, reference, part(i, begin + share * static_cast<double>(p), share));
      if (!reply) {
        skip(i, {"perplexity" + suffix, "kld_mean" + suffix, "same_top1" + suffix}, reply.error());
        continue;
      }
      if (reference.empty())
        c.run.environment["skip.kld_mean" + suffix] = c.reference_reason.empty() ? "there is no reference run" : c.reference_reason;
      record_fidelity(c.run, part_of_suite, windows, std::move(*reply), suffix);
    }
  }

  void record_fidelity(Run& run, const FidelityPart& part_of_suite, const Windows& windows, ScoreReply reply, const std::string& suffix) {
    const std::string key = "convention" + (part_of_suite.name.empty() ? "" : "." + part_of_suite.name) + ".";
    auto& e = run.environment;
    e[key + "text"] = part_of_suite.text;
    e[key + "chunk"] = std::to_string(windows.chunk);
    e[key + "stride"] = std::to_string(windows.stride);
    e[key + "chunks"] = std::to_string(reply.chunks);
    e[key + "scored_from"] = std::to_string(reply.scored_from);
    e[key + "bos"] = reply.bos ? "true" : "false";
    e[key + "specials"] = "as text";
    run.samples.push_back({"scored_bytes" + suffix, 0, 0, static_cast<double>(reply.scored_bytes)});
    for (Series& series : reply.windows) {
      series.metric = "perplexity" + suffix;
      run.series.push_back(std::move(series));
    }
  }

  void tasks(size_t i) {
    Candidate& c = candidates_[i];
    for (size_t t = 0; t < suite_.tasks.size() && is_ready(i); ++t) {
      const TaskPart& task = suite_.tasks[t];
      const std::string metric = "task_accuracy:" + task.name;
      if (is_synthetic(c)) {
        c.run.environment["skip." + metric] = "random weights say nothing about quality";
        continue;
      }
      const double share = kTaskShare / static_cast<double>(suite_.tasks.size());
      const double begin = kOpenShare + kSpeedShare + kFidelityShare + share * static_cast<double>(t);
      auto reply = c.engine->items({suite_.datasets / task.file, task.kind, task.items, task.max_new_tokens, task.stop}, part(i, begin, share));
      if (!reply) {
        skip(i, {metric}, reply.error());
        continue;
      }
      reply->items.metric = metric;
      c.run.series.push_back(std::move(reply->items));
      c.run.environment["convention.task." + task.name] = task.kind + (task.items > 0 ? fmt::format(", first {} items", task.items) : "");
    }
  }

  void output_check(size_t i) {
    Candidate& c = candidates_[i];
    tell(i, kOpenShare + kSpeedShare + kFidelityShare + kTaskShare, "checking output");
    const size_t count = is_synthetic(c) ? 1 : suite_.check.prompts.size();
    bool is_finite = true;
    for (size_t p = 0; p < count && c.is_live; ++p) {
      GenerateBlock block;
      if (is_synthetic(c)) block.random_prompt = 8;
      else block.text_prompt = suite_.check.prompts[p];
      block.max_new_tokens = suite_.check.tokens;
      const auto reply = c.engine->generate(block);
      if (!reply) {
        skip(i, {"output_check"}, reply.error());
        continue;
      }
      is_finite = is_finite && reply->finite;
      Series series{"greedy_tokens", "output_check", static_cast<int64_t>(p), 0, {"id"}, {{}}};
      for (const int32_t id : reply->ids) series.rows[0].push_back(id);
      c.run.series.push_back(std::move(series));
    }
    if (!c.is_live || count == 0) return;
    sample(i, "output_finite", is_finite ? 1 : 0);
    if (!is_finite)
      c.run.warnings.push_back({"invalid", "the model's logits were not finite, so no number of this run can be trusted",
                                "use a wider activation type or another backend"});
  }

  void finish(size_t i) {
    Candidate& c = candidates_[i];
    if (c.is_live) {
      checkpoint(i, "before_release");
      sample(i, "workspace_bytes", static_cast<double>(last_memory_[i].report.workspace));
      sample(i, "kv_allocated_bytes", static_cast<double>(last_memory_[i].report.kv_allocated));
      const Status closed = c.engine->close();
      if (closed) checkpoint(i, "released");
      else stop(i, closed.error(), false);
    } else {
      (void)c.engine->close();  // the run has its reason already
    }
    add_load(c.run.environment, "end");
    c.run.seconds = static_cast<double>(spent_ns_[i]) * 1e-9;
    compute_metrics(c.run);
    c.is_live = false;
    tell(i, 1, "done");
    if (hooks_.on_finished) hooks_.on_finished(i);
  }

  std::span<Candidate> candidates_;
  const Suite& suite_;
  const Hooks& hooks_;
  std::vector<double> progress_;
  std::vector<int64_t> spent_ns_;  // on this candidate: several take turns
  std::map<size_t, uint64_t> peak_;
  std::map<size_t, MemoryReply> last_memory_;
};

}  // namespace

int64_t context_needed(const Suite& suite) {
  int64_t tokens = kLeastContext;
  for (const SpeedShape& shape : suite.speed) tokens = std::max(tokens, shape.prompt + shape.generate + shape.depth + 1);
  for (const FidelityPart& part : suite.fidelity) tokens = std::max(tokens, part.chunk);
  return tokens;
}

void run_suite(std::span<Candidate> candidates, const Suite& suite, const Hooks& hooks) { Schedule(candidates, suite, hooks).run(); }

void end_run(Run& run, const Error& error, bool while_opening) {
  const bool is_refusal = while_opening && (error.code == ErrorCode::unsupported || error.code == ErrorCode::out_of_memory ||
                                            error.code == ErrorCode::invalid_argument);
  run.status = error.code == ErrorCode::cancelled ? RunStatus::cancelled : is_refusal ? RunStatus::refused : RunStatus::failed;
  run.reason = error.message;
  run.environment["reason.code"] = std::string(error_code_name(error.code));
}

}  // namespace phiscope::bench
