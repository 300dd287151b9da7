#include "core/device/evidence.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>

#include "core/base/text.h"
#include "core/device/roofline.h"

namespace phiscope::device {
namespace {

std::string lower_kind(UnitKind kind) {
  std::string text(unit_kind_name(kind));
  for (char& character : text) character = static_cast<char>(character | 0x20);
  return text;
}

// --- runs ---------------------------------------------------------------------------------------------------------------

// Backends of ours are one engine; a foreign engine's run carries its own name.
std::string engine_of(const Run& run) { return run.backend == "cpu" || run.backend == "reference" || run.backend == "cuda" ? "phiscope" : run.backend; }

bool is_measured_here(const AdviceRequest& request, const Run& run) {
  return run.device == request.this_device && request.device.is_device_of(run.device);
}

// Newest run of this format on the device; first those of this machine.
const Run* find_speed_run(const AdviceRequest& request, const DeployFormat& format) {
  const Run* found = nullptr;
  for (const Run& run : request.runs) {
    const bool is_format = engine_of(run) == format.engine && run.recipe == format.recipe && run.backend != "reference";
    if (!is_format || !request.device.is_device_of(run.device)) continue;
    if (found == nullptr || (is_measured_here(request, run) && !is_measured_here(request, *found))) found = &run;
  }
  return found;
}

const Metric* with_value(const Run& run, std::string_view id) {
  const Metric* metric = run.find_metric(id);
  return metric != nullptr && metric->value ? metric : nullptr;
}

// The metric of a family at depth 0 whose length lies nearest to `length`.
const Metric* nearest_shape(const Run& run, std::string_view family, double length) {
  const Metric* best = nullptr;
  double distance = 0;
  for (const Metric& metric : run.metrics) {
    if (metric_family(metric.id) != family || !metric.value) continue;
    const size_t at = metric.id.find('@');
    double found = 0;
    if (at != std::string::npos) {
      const char* end = metric.id.data() + metric.id.size();
      const auto parsed = std::from_chars(metric.id.data() + at + 1, end, found);
      if (parsed.ptr != end) continue;  // a depth
    }
    const double apart = std::abs(found - length);
    if (best == nullptr || apart < distance) {
      best = &metric;
      distance = apart;
    }
  }
  return best;
}

Evidence from_run(const AdviceRequest& request, const Run& run, const Metric& metric, std::string name, std::string unit) {
  const bool is_here = is_measured_here(request, run) || run.device == request.this_device;
  return {.metric = std::move(name), .unit = std::move(unit), .kind = is_here ? EvidenceKind::measured_here : EvidenceKind::measured_elsewhere,
          .value = metric.value, .low = metric.low, .high = metric.high,
          .formula = fmt::format("{} of {} samples, {}", metric.id, metric.n, run.device), .source = fmt::format("run {}", run.run_id)};
}

// --- shares of a limit --------------------------------------------------------------------------------------------------

struct Share {
  double share = 0, bits = 0;
  std::string device, unit, engine, what;
};

std::string_view format_engine(std::string_view format_id) {
  for (const DeployFormat& format : deploy_formats())
    if (format.id == format_id) return format.engine;
  return {};
}

// A published decode speed as a share of its device's bandwidth, by the same count of bytes as our estimates.
std::vector<Share> bandwidth_shares(const AdviceRequest& request) {
  std::vector<Share> shares;
  for (const PublishedShare& row : request.published.shares)
    if (row.limit == "bandwidth") shares.push_back({row.share, row.bits, "", row.unit, row.engine, row.what});
  for (const PublishedSpeed& row : request.published.speeds) {
    const auto shape = request.known_shapes.find(row.model);
    const auto profile = std::find_if(request.profiles.begin(), request.profiles.end(), [&](const DeviceProfile& p) { return p.id == row.device; });
    if (shape == request.known_shapes.end() || profile == request.profiles.end() || row.decode_tokens_per_s <= 0 || row.bits <= 0) continue;
    for (const ComputeUnit& unit : profile->units) {
      if (lower_kind(unit.kind) != row.unit || profile->bandwidth_of(unit) <= 0) continue;
      const double bytes = static_cast<double>(shape->second.active_parameters + shape->second.head_parameters) * row.bits / 8 +
                           row.prompt * shape->second.kv_bytes_per_token(16);
      const double share = row.decode_tokens_per_s * bytes * 1e-9 / profile->bandwidth_of(unit);
      shares.push_back({std::min(share, 1.0), row.bits, row.device, row.unit, std::string(format_engine(row.format)),
                        fmt::format("{} on {}", row.model, profile->name)});
      break;
    }
  }
  return shares;
}

std::vector<Share> arithmetic_shares(const AdviceRequest& request) {
  std::vector<Share> shares;
  for (const PublishedShare& row : request.published.shares)
    if (row.limit == "arithmetic") shares.push_back({row.share, row.bits, "", row.unit, row.engine, row.what});
  return shares;
}

// Weights of 4, 8 and 16 bits reach different shares: the fewer bytes, the more the rest shows.
int width_class(double bits) { return bits < 6 ? 4 : bits < 12 ? 8 : 16; }

struct ShareRange {
  double low = 0, median = 0, high = 0;
  std::string basis;
};

// The narrowest group of published figures that exists. What was seen on this very device bounds all that share its memory; an engine counts by
// itself only where several figures of it exist, so that engines are not told apart by one number each.
std::optional<ShareRange> choose_shares(const std::vector<Share>& all, const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  const std::string kind = lower_kind(unit.kind);
  const auto is_kind = [&](const Share& s) { return s.unit == kind; };
  const auto is_width = [&](const Share& s) { return width_class(s.bits) == width_class(format.body_bits); };
  const auto is_engine = [&](const Share& s) { return s.engine == format.engine; };
  struct Group {
    const char* words;
    size_t least;
    std::function<bool(const Share&)> holds;
  };
  // An NPU and the rest of a chip reach very different shares of the same memory.
  const auto is_like = [&](const Share& s) { return (s.unit == "npu") == (kind == "npu"); };
  const std::array<Group, 5> groups{{
      {"this device with such weights", 1, [&](const Share& s) { return s.device == request.device.id && is_like(s) && is_width(s); }},
      {"this engine with such weights on a {}", 2, [&](const Share& s) { return is_engine(s) && is_kind(s) && is_width(s); }},
      {"such weights on a {}", 1, [&](const Share& s) { return is_kind(s) && is_width(s); }},
      {"any weights on a {}", 1, is_kind},
      {"any device with such weights ({} has none)", 1, is_width},
  }};
  for (const Group& group : groups) {
    std::vector<double> values;
    for (const Share& share : all)
      if (group.holds(share)) values.push_back(share.share);
    if (values.size() < group.least) continue;
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    const double median = n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
    return ShareRange{values.front(), median, values.back(),
                      fmt::format("{} published for {}", n == 1 ? std::string("the one figure") : fmt::format("median of {} figures", n),
                                  fmt::format(fmt::runtime(group.words), unit_kind_name(unit.kind)))};
  }
  return std::nullopt;
}

std::string percent(double share) { return fmt::format("{} %", format_number(100 * share, 2)); }

Evidence missing(std::string metric, std::string unit, std::string why) {
  return {.metric = std::move(metric), .unit = std::move(unit), .formula = std::move(why)};
}

Evidence estimated_decode(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  const double bandwidth = request.device.bandwidth_of(unit);
  if (bandwidth <= 0) return missing("decode_tokens_per_s", "tok/s", "no source states this device's memory bandwidth");
  const double bytes = bytes_per_token(request.model, format, request.prompt);
  const auto share = choose_shares(bandwidth_shares(request), request, format, unit);
  if (!share) return missing("decode_tokens_per_s", "tok/s", "nothing was published that says what share of the bandwidth is reached");
  const double limit = bandwidth * 1e9 / bytes;
  return {.metric = "decode_tokens_per_s", .unit = "tok/s", .kind = EvidenceKind::estimated, .value = limit * share->median, .low = limit * share->low,
          .high = limit * share->high,
          .formula = fmt::format("{} GB/s / {} GB read a token = at most {} tok/s, times {} ({} .. {}: {})", format_number(bandwidth),
                                 format_number(bytes * 1e-9, 3), format_number(limit, 3), percent(share->median), percent(share->low),
                                 percent(share->high), share->basis)};
}

const Rate* arithmetic_rate(const DeployFormat& format, const ComputeUnit& unit) {
  for (const std::string& type : split(format.arithmetic, ' '))
    if (const Rate* rate = unit.find_rate(type)) return rate;
  return nullptr;
}

}  // namespace

const PublishedSpeed* find_speed(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  const PublishedSpeed* found = nullptr;
  for (const PublishedSpeed& row : request.published.speeds) {
    if (row.device != request.device.id || row.format != format.id || row.unit != lower_kind(unit.kind)) continue;
    const auto shape = request.known_shapes.find(row.model);
    if (shape == request.known_shapes.end() || !shape->second.has_same_size(request.model)) continue;
    if (found == nullptr || std::abs(row.prompt - static_cast<double>(request.prompt)) < std::abs(found->prompt - static_cast<double>(request.prompt)))
      found = &row;
  }
  return found;
}

Evidence decode_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  if (const Run* run = find_speed_run(request, format))
    if (const Metric* metric = nearest_shape(*run, "decode_tokens_per_s", 128))
      return from_run(request, *run, *metric, "decode_tokens_per_s", "tok/s");
  if (const PublishedSpeed* row = find_speed(request, format, unit))
    return {.metric = "decode_tokens_per_s", .unit = "tok/s", .kind = EvidenceKind::measured_elsewhere, .value = row->decode_tokens_per_s,
            .formula = fmt::format("{}, {}", row->model, row->setup), .source = row->source};
  return estimated_decode(request, format, unit);
}

Evidence ttft_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  const std::string name = "ttft_model_ms";
  if (const Run* run = find_speed_run(request, format))
    if (const Metric* metric = nearest_shape(*run, name, static_cast<double>(request.prompt))) return from_run(request, *run, *metric, name, "ms");
  const PublishedSpeed* row = find_speed(request, format, unit);
  if (row != nullptr && row->ttft_ms > 0)
    return {.metric = name, .unit = "ms", .kind = EvidenceKind::measured_elsewhere, .value = row->ttft_ms,
            .formula = fmt::format("{}, prompt of {} tokens, {}", row->model, format_number(row->prompt), row->setup), .source = row->source};
  const Rate* rate = arithmetic_rate(format, unit);
  if (rate == nullptr) return missing(name, "ms", fmt::format("no source states the {}'s rate for {}", unit_kind_name(unit.kind), format.arithmetic));
  const auto share = choose_shares(arithmetic_shares(request), request, format, unit);
  if (!share) return missing(name, "ms", "nothing was published that says what share of the arithmetic rate is reached");
  const double operations = prefill_operations(request.model, request.prompt);
  const double limit_ms = operations / (rate->giga_operations_s * 1e9) * 1e3;
  const double bandwidth = request.device.bandwidth_of(unit);
  // The weights are read at least once.
  const double read_ms = bandwidth > 0 ? bytes_per_token(request.model, format, 0) / (bandwidth * 1e9) * 1e3 : 0;
  return {.metric = name, .unit = "ms", .kind = EvidenceKind::estimated, .value = std::max(limit_ms / share->median, read_ms),
          .low = std::max(limit_ms / share->high, read_ms), .high = std::max(limit_ms / share->low, read_ms),
          .formula = fmt::format("{} Gop for {} tokens / {} Gop/s ({}) = at least {} ms, over {} ({})", format_number(operations * 1e-9, 3), request.prompt,
                                 format_number(rate->giga_operations_s, 4), rate->type, format_number(limit_ms, 3), percent(share->median), share->basis)};
}

Evidence memory_evidence(const AdviceRequest& request, const DeployFormat& format, const ComputeUnit& unit) {
  const double weights = weight_bytes(request.model, format);
  const double kv = static_cast<double>(request.context) * request.model.kv_bytes_per_token(16);
  const double scratch = workspace_bytes(request.model);
  Evidence evidence{.metric = "memory_bytes", .unit = "bytes", .kind = EvidenceKind::estimated, .value = weights + kv + scratch,
                    .formula = fmt::format("weights {} + cache of {} positions {} + scratch {}", format_bytes(static_cast<uint64_t>(weights)), request.context,
                                           format_bytes(static_cast<uint64_t>(kv)), format_bytes(static_cast<uint64_t>(scratch)))};
  if (const PublishedSpeed* row = find_speed(request, format, unit); row != nullptr && row->memory_bytes > 0)
    evidence.source = fmt::format("published for comparison: {} ({}, {})", format_bytes(static_cast<uint64_t>(row->memory_bytes)), row->setup, row->source);
  return evidence;
}

// --- quality ------------------------------------------------------------------------------------------------------------

namespace {

// The newest run that rounded the same way and was compared with a reference; any device will do, arithmetic differs by far less than rounding.
const Run* find_quality_run(const AdviceRequest& request, const DeployFormat& format) {
  if (format.recipe.empty()) return nullptr;
  for (const Run& run : request.runs)
    if (run.recipe == format.recipe && with_value(run, "ln_ppl_ratio") != nullptr) return &run;
  return nullptr;
}

Evidence from_published(std::vector<const PublishedQuality*> rows, bool is_same_model) {
  std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->loss() < b->loss(); });
  const size_t n = rows.size();
  const double median = n % 2 == 1 ? rows[n / 2]->loss() : 0.5 * (rows[n / 2 - 1]->loss() + rows[n / 2]->loss());
  Evidence evidence{.metric = rows.front()->is_perplexity ? "perplexity_loss" : "score_loss", .unit = "share",
                    .kind = is_same_model ? EvidenceKind::measured_elsewhere : EvidenceKind::estimated, .value = median};
  if (n > 1) {
    evidence.low = rows.front()->loss();
    evidence.high = rows.back()->loss();
  }
  std::vector<std::string> sources;
  for (const PublishedQuality* row : rows) {
    const std::string text = fmt::format("{} {} {} to {}{} ({})", row->model, row->metric, format_number(row->reference, 5), format_number(row->value, 5),
                                         row->note.empty() ? "" : ", " + row->note, row->source);
    if (std::find(sources.begin(), sources.end(), text) == sources.end()) sources.push_back(text);
  }
  evidence.formula = n == 1 ? "the published figure" : fmt::format("median of {} published figures", n);
  if (!is_same_model) evidence.formula += " for other Phi models rounded this way";
  evidence.source = fmt::format("{}", fmt::join(sources, "; "));
  return evidence;
}

}  // namespace

Evidence loss_evidence(const AdviceRequest& request, const DeployFormat& format) {
  if (const Run* run = find_quality_run(request, format)) {
    const Metric& ratio = *with_value(*run, "ln_ppl_ratio");
    Evidence evidence = from_run(request, *run, ratio, "perplexity_loss", "share");
    for (std::optional<double>* value : {&evidence.value, &evidence.low, &evidence.high})
      if (*value) *value = std::expm1(**value);
    evidence.formula = fmt::format("exp(ln_ppl_ratio) - 1 over {} positions, recipe {}", ratio.n, run->recipe);
    return evidence;
  }
  if (format.scheme.empty())
    return {.metric = "perplexity_loss", .unit = "share", .kind = EvidenceKind::estimated, .value = 0,
            .formula = "16 or 32 bits hold the shipped weights; nothing is quantized"};
  for (const bool perplexity : {true, false}) {
    std::vector<const PublishedQuality*> own, others;
    for (const PublishedQuality& row : request.published.qualities)
      if (row.scheme == format.scheme && row.is_perplexity == perplexity) (row.model == request.model.name ? own : others).push_back(&row);
    if (!own.empty()) return from_published(own, true);
    if (!others.empty()) return from_published(others, false);
  }
  return missing("perplexity_loss", "share", fmt::format("nobody published what {} costs a Phi", format.name));
}

std::vector<Evidence> fidelity_evidence(const AdviceRequest& request, const DeployFormat& format) {
  std::vector<Evidence> rows;
  if (const Run* run = find_quality_run(request, format)) {
    if (const Metric* kld = with_value(*run, "kld_mean")) rows.push_back(from_run(request, *run, *kld, "kld_mean", "nat"));
    if (const Metric* same = with_value(*run, "same_top1")) rows.push_back(from_run(request, *run, *same, "same_top1", "share"));
  }
  if (const Run* run = find_speed_run(request, format))
    if (const Metric* peak = with_value(*run, "peak_rss_bytes")) rows.push_back(from_run(request, *run, *peak, "peak_rss_bytes", "bytes"));
  return rows;
}

}  // namespace phiscope::device
