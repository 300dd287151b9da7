#include "core/bench/schedule.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/clock.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/bench/catalogue.h"
#include "core/bench/environment.h"
#include "core/bench/speed.h"
#include "core/bench/turns.h"

namespace phiscope::bench {
namespace {

// Shares of a run's progress, from what a quick suite on a small model takes.
constexpr double kOpenShare = 0.15, kSpeedShare = 0.35, kFidelityShare = 0.25, kTaskShare = 0.2;
// More spread than this in a shape that ended by a cap deserves a warning.
constexpr double kNoisyRelativeSd = 0.05;
// Half of the smallest difference of a timing that matters (catalogue.cpp): then equal engines come out as the same.
constexpr double kPairHalfWidth = 0.01;
constexpr int64_t kLeastContext = 1024;     // room for the prompts of tasks
constexpr int64_t kExamplesContext = 4096;  // with worked examples

bool is_synthetic(const Candidate& candidate) { return candidate.opened.synthetic; }

std::string convention_of(const TaskPart& task) {
  std::string text = task.kind;
  if (!task.format.empty()) text += ", " + std::filesystem::path(task.format).stem().string();
  if (!task.shots_file.empty()) text += task.shots >= 0 ? fmt::format(", {} worked examples", task.shots) : ", the format's worked examples";
  if (task.items > 0) text += fmt::format(", first {} items", task.items);
  return text;
}

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
      : candidates_(candidates), suite_(suite), hooks_(hooks), progress_(candidates.size(), 0), spent_ns_(candidates.size(), 0), judges_(candidates.size()) {}

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
    if (reply->proportional > 0) sample(i, fmt::format("pss_bytes:{}", name), static_cast<double>(reply->proportional));
    note_checkpoint(c, name, *reply);
    peak_[i] = std::max(peak_[i], reply->peak_resident);
    last_memory_[i] = *reply;
  }

  /// Beside the memory timeline, on the same time axis; the names are in the environment, in the same order.
  static void note_checkpoint(Candidate& c, const std::string& name, const MemoryReply& reply) {
    auto found = std::find_if(c.run.series.begin(), c.run.series.end(), [](const Series& s) { return s.kind == "memory_checkpoints"; });
    if (found == c.run.series.end()) {
      c.run.series.push_back({"memory_checkpoints", "rss_bytes", 0, 0, {"time_ns", "resident_bytes", "anonymous_bytes", "file_backed_bytes"}, {{}, {}, {}, {}}});
      found = c.run.series.end() - 1;
    }
    const double row[] = {static_cast<double>(monotonic_ns() - c.begin_ns), static_cast<double>(reply.resident), static_cast<double>(reply.anonymous),
                          static_cast<double>(reply.file_backed)};
    for (size_t column = 0; column < std::size(row); ++column) found->rows[column].push_back(row[column]);
    std::string& names = c.run.environment["memory.checkpoints"];
    names += (names.empty() ? "" : ",") + name;
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
    if (suite_.cold_start && is_ready(i)) first_request(i);
  }

  void first_request(size_t i) {
    const auto cold = cold_start(*candidates_[i].engine, candidates_[i].opened);
    if (!cold) return skip(i, {"cold_start_s", "load_s:first_token"}, cold.error());
    sample(i, "load_s:first_token", cold->first_token_s);
    if (candidates_[i].opened.artifact_made) candidates_[i].run.environment["skip.cold_start_s"] = "the artifact was made now, not opened";
    else sample(i, "cold_start_s", cold->total_s);
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
    if (o.page_cache_share >= 0) e["page_cache.before_load"] = fmt::format("{:.0f} % of the weights", 100 * o.page_cache_share);
    if (!o.energy_source.empty()) e["energy.source"] = o.energy_source + ", informative";
    else e["skip.energy_j_per_token"] = "not available: " + (o.energy_reason.empty() ? "the engine counts none" : o.energy_reason);
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
    if (!o.artifact_made) sample(i, "load_s:open", o.open_s);
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
    if (suite_.sustained.seconds > 0)
      for (size_t i = 0; i < candidates_.size(); ++i) sustained(i);
    // Before the fidelity part brings in the reference's head: this is what a deployment needs.
    for (size_t i = 0; i < candidates_.size(); ++i)
      if (candidates_[i].is_live) record_peak(i);
  }

  /// One after the other: heat is what is measured.
  void sustained(size_t i) {
    if (!is_ready(i)) return;
    const Stopwatch stopwatch(spent_ns_[i]);
    const double begin = kOpenShare + 0.9 * kSpeedShare;
    const auto go_on = [&](double fraction) {
      tell(i, begin + 0.1 * kSpeedShare * fraction, "sustained decode");
      return !(hooks_.is_cancelled && hooks_.is_cancelled());
    };
    auto series = sustained_series(*candidates_[i].engine, suite_.sustained, go_on);
    if (!series) return skip(i, {"sustained_ratio"}, series.error());
    candidates_[i].run.series.push_back(std::move(*series));
  }

  void record_peak(size_t i) {
    if (peak_[i] > 0) {
      sample(i, "peak_rss_bytes", static_cast<double>(peak_[i]));
      const MemoryReport& report = last_memory_[i].report;
      const double parts = static_cast<double>(report.weights_private + report.weights_mapped + report.workspace) +
                           static_cast<double>(report.kv_per_token) * static_cast<double>(longest_[i]);
      if (static_cast<double>(peak_[i]) >= parts) sample(i, "other_bytes", static_cast<double>(peak_[i]) - parts);
      else candidates_[i].run.environment["skip.other_bytes"] = "not all mapped weights were in memory at the peak";
    }
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
    const ReadConditions& conditions = candidates_[i].conditions;
    const Conditions before = conditions ? conditions() : Conditions{};
    auto outcome = step.run(*candidates_[i].engine, seed);
    if (!outcome) {
      skip(i, step.metrics, outcome.error());
      return std::nullopt;
    }
    if (conditions) outcome->disturbance = judges_[i].judge(before, conditions());
    return std::move(*outcome);
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
      if (!works) continue;
      members.push_back(i);
      longest_[i] = std::max(longest_[i], step.tokens);
    }
    const TurnRules rules{{suite_.min_repetitions, suite_.max_repetitions, suite_.max_seconds_per_shape, suite_.stop_relative_sd},
                          kPairHalfWidth, suite_.max_repetitions};
    const auto results = take_turns(
        members.size(), rules, static_cast<uint64_t>(number + 1) << 32,
        [&](size_t m, uint64_t seed) { return repeat(members[m], step, seed); },
        [&](size_t m, StepOutcome outcome, int64_t repetition, bool is_final) {
          keep(candidates_[members[m]].run, std::move(outcome), repetition, is_final);
        });
    for (size_t m = 0; m < members.size(); ++m)
      if (results[m].is_member) note_stop(candidates_[members[m]].run, step, results[m]);
  }

  static void keep(Run& run, StepOutcome outcome, int64_t repetition, bool is_final) {
    for (Sample& sample : outcome.samples) {
      sample.repetition = repetition;
      sample.mark = outcome.disturbance;
      run.samples.push_back(std::move(sample));
    }
    if (!outcome.timeline) return;
    outcome.timeline->repetition = repetition;
    if (!is_final) outcome.timeline->kind = "disturbed_timeline";  // kept, but no metric is made of it
    run.series.push_back(std::move(*outcome.timeline));
  }

  static void note_stop(Run& run, const SpeedStep& step, const TurnResult& result) {
    run.environment["stop." + step.metric] = result.reason;
    if (result.repeated + result.kept_disturbed > 0)
      run.warnings.push_back({"disturbed",
                              fmt::format("{}: {} repetitions were disturbed ({}) and measured again; {} stay disturbed", step.metric, result.repeated,
                                          result.disturbance, result.kept_disturbed),
                              "close other programs and run again"});
    if (result.is_settled || result.relative_sd <= kNoisyRelativeSd) return;
    run.warnings.push_back({"noisy", fmt::format("{} varied by {:.1f} % between repetitions", step.metric, 100 * result.relative_sd),
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
      if (p < c.reference_floors.size() && c.reference_floors[p] > 0) sample(i, "kld_floor" + suffix, c.reference_floors[p]);
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
      const ItemsBlock block{suite_.datasets / task.file, task.format, task.shots_file.empty() ? std::filesystem::path{} : suite_.datasets / task.shots_file,
                             task.shots, task.kind, task.items, task.max_new_tokens, task.stop};
      auto reply = c.engine->items(block, part(i, begin, share));
      if (!reply) {
        skip(i, {metric}, reply.error());
        continue;
      }
      reply->items.metric = metric;
      c.run.series.push_back(std::move(reply->items));
      if (!reply->choices.rows.empty()) {
        reply->choices.metric = metric;
        c.run.series.push_back(std::move(reply->choices));
      }
      c.run.environment["convention.task." + task.name] = convention_of(task);
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
  std::vector<DisturbanceJudge> judges_;
  std::map<size_t, uint64_t> peak_;
  std::map<size_t, MemoryReply> last_memory_;
  std::map<size_t, int64_t> longest_;  // positions of the longest shape that ran
};

}  // namespace

int64_t context_needed(const Suite& suite) {
  int64_t tokens = kLeastContext;
  for (const SpeedShape& shape : suite.speed) tokens = std::max(tokens, shape.prompt + shape.generate + shape.depth + 1);
  for (const FidelityPart& part : suite.fidelity) tokens = std::max(tokens, part.chunk);
  for (const TaskPart& part : suite.tasks)
    if (!part.shots_file.empty()) tokens = std::max(tokens, kExamplesContext);
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
