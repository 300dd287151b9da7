#include "core/device/alternatives.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/text.h"

namespace phiscope::device {
namespace {

std::string bytes_text(double bytes) { return format_bytes(static_cast<uint64_t>(std::max(0.0, std::round(bytes)))); }

bool is_same(const Candidate& a, const Candidate& b) { return a.format->id == b.format->id && a.unit.kind == b.unit.kind && a.unit.name == b.unit.name; }

// Under another goal, if the first place changes.
void add_goals(const AdviceRequest& request, const Advice& advice, std::vector<std::string>& rows) {
  struct Other {
    Goal goal;
    const char* words;
  };
  for (const Other& other : {Other{Goal::latency, "If only speed counted"}, Other{Goal::memory, "If only memory counted"}, Other{Goal::quality, "If only quality counted"}}) {
    if (other.goal == request.needs.goal) continue;
    AdviceRequest changed = request;
    changed.needs.goal = other.goal;
    const Advice result = rank(changed);
    if (result.ranking.empty() || is_same(result.ranking.front(), advice.ranking.front())) continue;
    rows.push_back(fmt::format("{}: {}", other.words, candidate_words(result.ranking.front())));
  }
}

// The longest context that the first place can hold; a model may not use more than it was made for.
void add_context(const AdviceRequest& request, const Candidate& first, std::vector<std::string>& rows) {
  const double per_token = request.model.kv_bytes_per_token(16);
  if (first.budget_bytes <= 0 || per_token <= 0) return;
  const auto most = static_cast<int64_t>((first.budget_bytes - first.weights_bytes - first.scratch_bytes) / per_token);
  if (most >= request.model.context) {
    rows.push_back(fmt::format("Context: even the model's whole {} positions fit ({} of cache)", request.model.context,
                               bytes_text(per_token * static_cast<double>(request.model.context))));
    return;
  }
  std::string sentence = fmt::format("Context: beyond about {} positions {} no longer fits ({} of cache each 1000)", most, first.format->name, bytes_text(1000 * per_token));
  AdviceRequest longer = request;
  longer.context = std::min(request.model.context, std::max<int64_t>(2 * most, request.context));
  const Advice result = rank(longer);
  sentence += result.ranking.empty() ? fmt::format("; at {} nothing does", longer.context) : fmt::format("; at {} take {}", longer.context, candidate_words(result.ranking.front()));
  rows.push_back(sentence);
}

// How much faster the second place would have to be: of interest where its number is an estimate whose range reaches that far.
void add_second(const AdviceRequest& request, const Advice& advice, std::vector<std::string>& rows) {
  const Candidate& first = advice.ranking.front();
  for (size_t i = 1; i < advice.ranking.size(); ++i) {
    const Candidate& other = advice.ranking[i];
    if (!first.decode.value || !other.decode.high || *other.decode.high <= *first.decode.value) continue;
    AdviceRequest changed = request;
    if (other.loss.value && first.loss.value && *other.loss.value > *first.loss.value + 0.02) continue;  // speed alone would not decide
    rows.push_back(fmt::format("{} overtakes when it reaches {} tok/s: its range goes to {}, so measure both before you decide", candidate_words(other),
                               format_number(*first.decode.value, 3), format_number(*other.decode.high, 3)));
    return;
  }
}

void add_measurement(const AdviceRequest& request, const Candidate& first, std::vector<std::string>& rows) {
  const bool is_guess = first.decode.kind != EvidenceKind::measured_here || first.loss.kind != EvidenceKind::measured_here;
  if (!is_guess) return;
  const std::string recipe = first.format->recipe.empty() ? "int4,int8" : std::string(first.format->recipe);
  const std::string where = request.device.is_measured || request.device.is_device_of(request.this_device) ? "" : " on that device";
  rows.push_back(fmt::format("To turn estimates into measurements{}: phiscope bench {} --recipe fp32,{}", where, request.model_argument, recipe));
}

}  // namespace

std::string speed_words(const Evidence& decode) {
  if (!decode.value) return "speed unknown";
  return fmt::format("{} tok/s {}", format_number(*decode.value, 3), evidence_kind_name(decode.kind));
}

std::string loss_words(const Evidence& loss) {
  if (!loss.value) return "loss of quality unknown";
  const char* what = loss.metric == "score_loss" ? "score" : "perplexity";
  const double percent = 100 * *loss.value;
  if (std::abs(percent) < 0.05) return fmt::format("{} unchanged", what);
  const bool is_growth = loss.metric != "score_loss" ? percent > 0 : percent < 0;
  return fmt::format("{} {}{} %", what, is_growth ? "+" : "−", format_number(std::abs(percent), 2));
}

std::string candidate_words(const Candidate& candidate) {
  return fmt::format("{} with {} on the {} ({}, {}, {})", candidate.format->name, engine_name(candidate.format->engine), unit_kind_name(candidate.unit.kind),
                     speed_words(candidate.decode), loss_words(candidate.loss), bytes_text(*candidate.memory.value));
}

std::vector<std::string> what_would_change(const AdviceRequest& request, const Advice& advice) {
  std::vector<std::string> rows;
  if (advice.ranking.empty()) return rows;
  add_goals(request, advice, rows);
  add_context(request, advice.ranking.front(), rows);
  add_second(request, advice, rows);
  add_measurement(request, advice.ranking.front(), rows);
  return rows;
}

std::string judge_cookbook(const AdviceRequest& request, const Advice& advice) {
  const DeviceClass* row = find_device_class(request.device.device_class);
  if (row == nullptr) return {};
  std::string sentence(row->guidance_words);
  if (advice.ranking.empty()) return sentence;
  const Candidate& first = advice.ranking.front();
  if (has_word(row->guidance, first.format->precision)) return sentence + "; the first place follows it";
  const auto is_guided = [&](const Candidate& c) { return has_word(row->guidance, c.format->precision); };
  const auto guided = std::find_if(advice.ranking.begin(), advice.ranking.end(), is_guided);
  if (guided != advice.ranking.end())
    return fmt::format("{}; the evidence disagrees: the best candidate of that kind is place {}, {}, while the first is {}", sentence,
                       guided - advice.ranking.begin() + 1, candidate_words(*guided), candidate_words(first));
  const auto removed = std::find_if(advice.removed.begin(), advice.removed.end(), is_guided);
  if (removed != advice.removed.end())
    return fmt::format("{}; the evidence disagrees: {} is out, because it {}", sentence, removed->format->name, removed->removal);
  return fmt::format("{}; no engine of this device has a format of that kind", sentence);
}

}  // namespace phiscope::device
