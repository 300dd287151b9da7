#include "core/device/advise.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <tuple>

#include "core/base/text.h"
#include "core/device/alternatives.h"
#include "core/device/evidence.h"
#include "core/device/roofline.h"

namespace phiscope::device {
namespace {

constexpr double kReadingTokensPerS = 10;  // about twice the speed of silent reading (240 words a minute, 1.3 tokens a word)
// Losses of perplexity that count as equal: 0.5 % is the smallest difference that matters, 20 % is a damaged model.
constexpr std::array kLossSteps{0.005, 0.02, 0.05, 0.1, 0.2};
constexpr double kSpeedStep = 1.1;         // speeds within about 10 % count as equal

std::string bytes_text(double bytes) { return format_bytes(static_cast<uint64_t>(std::max(0.0, std::round(bytes)))); }

int loss_step(const Evidence& loss) {
  if (!loss.value) return static_cast<int>(kLossSteps.size()) + 1;
  return static_cast<int>(std::lower_bound(kLossSteps.begin(), kLossSteps.end(), *loss.value) - kLossSteps.begin());
}

double speed_step(const Evidence& decode) { return decode.value && *decode.value > 0 ? std::floor(std::log(*decode.value) / std::log(kSpeedStep)) : -1e9; }
double value_or(const Evidence& evidence, double otherwise) { return evidence.value.value_or(otherwise); }

// Smaller is better, compared from left to right.
using Key = std::tuple<double, double, double, double, double, double, std::string_view>;
Key key_of(const Candidate& candidate, Goal goal) {
  const double slow = !candidate.decode.value ? 2 : *candidate.decode.value >= kReadingTokensPerS ? 0 : 1;
  const double speed = -speed_step(candidate.decode);
  const double kind = static_cast<double>(candidate.decode.kind);
  const double preference = candidate.format->engine == "onnxruntime-genai" ? 0 : candidate.format->engine == "phiscope" ? 2 : 1;
  const double memory = value_or(candidate.memory, 1e18);
  const double loss = loss_step(candidate.loss);
  switch (goal) {
    case Goal::latency: return {slow == 2 ? 1 : 0, -value_or(candidate.decode, 0), loss, kind, preference, memory, candidate.format->id};
    case Goal::memory: return {memory, loss, speed, kind, preference, 0, candidate.format->id};
    case Goal::quality: return {loss, slow, speed, kind, preference, memory, candidate.format->id};
    case Goal::balanced: break;
  }
  if (slow == 1) return {slow, speed, loss, kind, preference, memory, candidate.format->id};  // too slow to be choosy: faster first
  return {slow, loss, speed, kind, preference, memory, candidate.format->id};
}

void remove(Candidate& candidate, std::string constraint, std::string sentence) {
  if (!candidate.constraint.empty()) return;  // the first reason stands
  candidate.constraint = std::move(constraint);
  candidate.removal = std::move(sentence);
}

void check_memory(const AdviceRequest& request, Candidate& candidate) {
  const uint64_t memory = request.device.memory_of(candidate.unit);
  const double needed = *candidate.memory.value;
  if (memory == 0) {
    candidate.reasons.push_back(fmt::format("needs {}; how much memory the device has is not stated", bytes_text(needed)));
    return;
  }
  const auto reserve = static_cast<double>(request.device.reserve_of(candidate.unit));
  candidate.budget_bytes = static_cast<double>(memory) - reserve;
  candidate.fits = needed <= candidate.budget_bytes;
  const std::string sentence = fmt::format("needs {} ({}) of the {} that are left of {} beside system and other programs", bytes_text(needed),
                                           candidate.memory.formula, bytes_text(candidate.budget_bytes), bytes_text(static_cast<double>(memory)));
  candidate.reasons.push_back(sentence);
  if (!candidate.fits) remove(candidate, "memory", sentence);
}

// A need that cannot be judged removes as well: nobody ships on a guess. The sentence says how to find out.
void check_bound(Candidate& candidate, const std::string& constraint, const std::optional<double>& bound, const Evidence& evidence, double value,
                 const std::string& unit, const AdviceRequest& request) {
  if (!bound) return;
  if (!evidence.value) {
    const std::string how = candidate.format->recipe.empty() ? std::string() : fmt::format("; measure it: phiscope bench {} --recipe {}", request.model_argument, candidate.format->recipe);
    remove(candidate, constraint, fmt::format("whether it keeps {} {} is unknown: {}{}", format_number(*bound), unit, evidence.formula, how));
    return;
  }
  if (value > *bound)
    remove(candidate, constraint, fmt::format("{} {} ({}), at most {} {} are wanted", format_number(value, 3), unit, evidence_kind_name(evidence.kind), format_number(*bound), unit));
}

void check_needs(const AdviceRequest& request, Candidate& candidate) {
  const Needs& needs = request.needs;
  check_bound(candidate, "latency", needs.token_ms, candidate.decode, candidate.decode.value ? 1000 / *candidate.decode.value : 0, "ms a token", request);
  check_bound(candidate, "ttft", needs.ttft_ms, candidate.ttft, value_or(candidate.ttft, 0), "ms to the first token", request);
  if (needs.memory_bytes && *candidate.memory.value > *needs.memory_bytes)
    remove(candidate, "memory", fmt::format("needs {}, at most {} are wanted", bytes_text(*candidate.memory.value), bytes_text(*needs.memory_bytes)));
  const std::optional<double> percent = needs.perplexity_loss ? std::optional<double>(100 * *needs.perplexity_loss) : std::nullopt;
  check_bound(candidate, "quality", percent, candidate.loss, 100 * value_or(candidate.loss, 0), "% of quality lost", request);
  if (!needs.kld) return;
  const auto kld = std::find_if(candidate.more.begin(), candidate.more.end(), [](const Evidence& e) { return e.metric == "kld_mean"; });
  Evidence evidence{.metric = "kld_mean", .formula = "no run of this precision was compared with a reference"};
  if (candidate.format->scheme.empty()) evidence.value = 0;
  if (kld != candidate.more.end()) evidence = *kld;
  check_bound(candidate, "quality", needs.kld, evidence, value_or(evidence, 0), "nat of mean KLD", request);
}

Candidate make_candidate(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  Candidate candidate{.format = &format, .unit = unit};
  candidate.weights_bytes = weight_bytes(request.model, format);
  candidate.kv_bytes = static_cast<double>(request.context) * request.model.kv_bytes_per_token(16);
  candidate.scratch_bytes = workspace_bytes(request.model);
  candidate.decode = decode_evidence(request, format, unit);
  candidate.ttft = ttft_evidence(request, format, unit);
  candidate.memory = memory_evidence(request, format, unit);
  candidate.loss = loss_evidence(request, format);
  candidate.more = fidelity_evidence(request, format);
  candidate.command = command_for(format, request.model_argument);
  if (!has_word(format.architectures, request.model.architecture)) {
    candidate.fits = false;
    remove(candidate, "engine", fmt::format("{} does not take {} models in this form", engine_name(format.engine), request.model.architecture));
    return candidate;
  }
  check_memory(request, candidate);
  check_needs(request, candidate);
  candidate.reasons.push_back(fmt::format("speed: {}", candidate.decode.formula));
  candidate.reasons.push_back(fmt::format("quality: {}", candidate.loss.formula));
  if (!format.note.empty()) candidate.reasons.emplace_back(format.note);
  return candidate;
}

std::vector<std::string> assumptions_of(const AdviceRequest& request) {
  std::vector<std::string> rows;
  const DeviceClass* row = find_device_class(request.device.device_class);
  if (row != nullptr && request.device.memory_bytes > 0)
    rows.push_back(fmt::format("{} keeps {} of its {} for system and other programs (an assumption for its class)", row->name,
                               bytes_text(std::max(row->reserve_fraction * static_cast<double>(request.device.memory_bytes), row->reserve_gb * 1e9)),
                               bytes_text(static_cast<double>(request.device.memory_bytes))));
  rows.push_back(fmt::format("cache for {} positions in 16 bits; prompt of {} tokens; one request at a time", request.context, request.prompt));
  rows.push_back(fmt::format("estimated speed: bandwidth / bytes read a token, times the share of the bandwidth that published runs reached; the range is that of those runs"));
  return rows;
}

struct NeedForm {
  std::string_view name, unit;
  double scale;
  std::optional<double> Needs::*field;
};
constexpr std::array kNeedForms{
    NeedForm{"latency", "ms", 1, &Needs::token_ms},       NeedForm{"latency", "s", 1000, &Needs::token_ms},
    NeedForm{"ttft", "ms", 1, &Needs::ttft_ms},           NeedForm{"ttft", "s", 1000, &Needs::ttft_ms},
    NeedForm{"memory", "GB", 1e9, &Needs::memory_bytes},  NeedForm{"memory", "MB", 1e6, &Needs::memory_bytes},
    NeedForm{"quality", "%", 0.01, &Needs::perplexity_loss},
};
struct GoalRow {
  std::string_view name;
  Goal goal;
};
constexpr std::array kGoals{GoalRow{"latency", Goal::latency}, GoalRow{"memory", Goal::memory}, GoalRow{"quality", Goal::quality}};

}  // namespace

std::string_view evidence_kind_name(EvidenceKind kind) {
  static constexpr std::array<std::string_view, 3> kNames{"measured-here", "measured-elsewhere", "estimated"};
  return kNames[static_cast<size_t>(kind)];
}

Status add_need(Needs& needs, std::string_view text) {
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  if (equals == std::string_view::npos) {
    for (const GoalRow& row : kGoals)
      if (row.name == name) {
        needs.goal = row.goal;
        return {};
      }
  } else {
    std::string_view value = text.substr(equals + 1);
    const bool is_kld = name == "quality" && value.starts_with("kld:");
    if (is_kld) value.remove_prefix(4);
    double number = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    const std::string_view unit = trim(std::string_view(parsed.ptr, static_cast<size_t>(value.data() + value.size() - parsed.ptr)));
    if (parsed.ec == std::errc() && std::isfinite(number) && number > 0) {
      if (is_kld && unit.empty()) {
        needs.kld = number;
        return {};
      }
      for (const NeedForm& form : kNeedForms)
        if (form.name == name && (unit == form.unit || (unit.empty() && form.unit == "ms"))) {
          needs.*form.field = number * form.scale;
          return {};
        }
    }
  }
  return fail(ErrorCode::invalid_argument,
              "'{}' is no need; write latency=50ms (a token), ttft=500ms, memory=4GB, quality=5% (growth of the perplexity), quality=kld:0.05, or "
              "latency, memory or quality alone for what matters most",
              text);
}

Advice rank(const AdviceRequest& request) {
  Advice advice;
  for (const DeployFormat& format : deploy_formats())
    for (const ComputeUnit& unit : request.device.units) {
      if (!runs_on(format, unit)) continue;
      Candidate candidate = make_candidate(request, format, unit);
      (candidate.constraint.empty() ? advice.ranking : advice.removed).push_back(std::move(candidate));
    }
  std::stable_sort(advice.ranking.begin(), advice.ranking.end(),
                   [&](const Candidate& a, const Candidate& b) { return key_of(a, request.needs.goal) < key_of(b, request.needs.goal); });
  return advice;
}

Advice advise(const AdviceRequest& request) {
  Advice advice = rank(request);
  advice.cookbook = judge_cookbook(request, advice);
  advice.changes = what_would_change(request, advice);
  advice.assumptions = assumptions_of(request);
  return advice;
}

}  // namespace phiscope::device
