// Charts of raw series: how divergence is distributed over the tokens, how memory went.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

constexpr int kStepsADecade = 4;
constexpr int kSmallestExponent = -7;  // below it float32 arithmetic alone makes the difference
constexpr size_t kTimelinePoints = 160;

const std::vector<double>* column_of(const Series& series, std::string_view name) {
  const auto found = std::find(series.columns.begin(), series.columns.end(), name);
  const auto at = static_cast<size_t>(found - series.columns.begin());
  return found == series.columns.end() || at >= series.rows.size() ? nullptr : &series.rows[at];
}

std::vector<double> divergences(const Run& run) {
  std::vector<double> all;
  for (const Series& series : run.series) {
    if (series.kind != "position_scores") continue;
    const std::vector<double>* kld = column_of(series, "kld");
    if (kld != nullptr) all.insert(all.end(), kld->begin(), kld->end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

// The largest of each stretch, so that no peak is lost by thinning out.
std::vector<Point> timeline(const std::vector<double>& time_ns, const std::vector<double>& bytes) {
  std::vector<Point> points;
  const size_t n = std::min(time_ns.size(), bytes.size());
  const size_t stretch = std::max<size_t>(1, n / kTimelinePoints);
  for (size_t begin = 0; begin < n; begin += stretch) {
    const size_t end = std::min(n, begin + stretch);
    size_t largest = begin;
    for (size_t i = begin; i < end; ++i)
      if (bytes[i] > bytes[largest]) largest = i;
    points.push_back({.x = time_ns[largest] / 1e9, .y = bytes[largest] / 1e6});
  }
  return points;
}

}  // namespace

Chart build_divergence_tail(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::line, .id = "kld_tail", .title = "Where the divergence sits: share of tokens beyond it", .x_label = "KLD of a token, nat",
              .y_label = "Tokens that diverge more, %", .log_x = true};
  chart.caption = "Each line falls from left to right: how many of the scored tokens diverge by more than x. Two precisions with the same mean can differ in "
                  "the tail, and the tail is what readers notice.";
  for (const Labelled& row : runs) {
    const std::vector<double> sorted = divergences(*row.run);
    if (sorted.empty() || sorted.back() <= std::pow(10.0, kSmallestExponent)) continue;  // the reference against itself
    ChartSeries series{.name = row.label, .recipe = row.run->recipe};
    for (int step = kSmallestExponent * kStepsADecade; step <= kStepsADecade; ++step) {
      const double x = std::pow(10.0, static_cast<double>(step) / kStepsADecade);
      const auto above = static_cast<double>(sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), x));
      const double share = 100 * above / static_cast<double>(sorted.size());
      series.points.push_back({.x = x, .y = share, .label = fmt::format("{:.2g} nat", x)});
      if (above == 0) break;
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

Chart build_memory_timeline(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::line, .id = "memory_timeline", .title = "Memory over time", .x_label = "Seconds since the run began", .y_label = "Resident, MB"};
  chart.caption = "Resident memory of the process that runs the model, the largest value of each stretch; turns of other precisions lie between.";
  for (const Labelled& row : runs) {
    for (const Series& series : row.run->series) {
      if (series.kind != "memory_timeline") continue;
      const std::vector<double>* time = column_of(series, "time_ns");
      const std::vector<double>* bytes = column_of(series, "resident_bytes");
      if (time == nullptr || bytes == nullptr || time->size() < 2) continue;
      chart.series.push_back({.name = row.label, .recipe = row.run->recipe, .points = timeline(*time, *bytes)});
      break;
    }
  }
  return chart;
}

}  // namespace phiscope::reports
