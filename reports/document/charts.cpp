#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/stats/summary.h"
#include "reports/document/parts.h"

namespace phiscope::reports {
namespace {

constexpr double kMegabyte = 1e6;

const Metric* value_of(const Labelled& row, const std::string& id) {
  const Metric* metric = id.empty() ? nullptr : row.run->find_metric(id);
  return metric != nullptr && metric->value ? metric : nullptr;
}

Point point_at(double x, const Metric& metric, const std::string& label) {
  return {.x = x, .y = *metric.value, .low = metric.low, .high = metric.high, .label = label};
}

ChartSeries series_of(const Labelled& row) { return {.name = row.label, .recipe = row.run->recipe}; }

// The reference's own divergence is 0 and has no place on a logarithmic axis: it is drawn as a line.
ChartSeries guide_of(const Labelled& row, Point from, Point to) {
  ChartSeries series = series_of(row);
  series.name += " (reference)";
  series.is_guide = true;
  series.points = {std::move(from), std::move(to)};
  return series;
}

struct Range {
  double low = 0, high = 0;
};
// A little beyond all positive values, for the ends of a guide.
Range positive_range(const std::vector<double>& values) {
  Range range;
  for (double value : values) {
    if (value <= 0) continue;
    range.low = range.low == 0 ? value : std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  return {range.low / 1.5, range.high * 1.5};
}

// A dashed line through the points that no other point beats on both axes. `low_x`, `low_y`: where better lies.
void add_front(Chart& chart, bool low_x, bool low_y) {
  std::vector<Point> points;
  for (const ChartSeries& series : chart.series)
    if (!series.is_guide) points.insert(points.end(), series.points.begin(), series.points.end());
  const auto beats = [&](const Point& a, const Point& b) {
    const double x = low_x ? b.x - a.x : a.x - b.x, y = low_y ? b.y - a.y : a.y - b.y;
    return x >= 0 && y >= 0 && (x > 0 || y > 0);
  };
  ChartSeries front{.name = "Pareto front", .is_guide = true};
  for (const Point& point : points)
    if (std::none_of(points.begin(), points.end(), [&](const Point& other) { return beats(other, point); })) front.points.push_back({.x = point.x, .y = point.y});
  if (front.points.size() < 2) return;
  std::sort(front.points.begin(), front.points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  chart.series.push_back(std::move(front));
  chart.caption += " The Pareto front joins the precisions that no other beats in both.";
}

// Divergence over what a precision takes; `family` in bytes.
Chart divergence_by_bytes(const std::vector<Labelled>& runs, std::string_view family, std::string id, std::string title, std::string x_label) {
  Chart chart{.id = std::move(id), .title = std::move(title), .x_label = std::move(x_label), .y_label = "KLD mean, nat", .log_y = true};
  chart.caption = "Mean divergence from the reference's distributions with its 95 % interval; lower and further left is better.";
  const std::string kld = main_metric_id(runs, "kld_mean");
  std::vector<double> heights;
  for (const Labelled& row : runs) {
    const Metric* y = value_of(row, kld);
    const Metric* x = value_of(row, main_metric_id(runs, family));
    if (x == nullptr || y == nullptr || *y->value <= 0) continue;
    heights.push_back(*y->value);
    ChartSeries series = series_of(row);
    series.points.push_back(point_at(*x->value / kMegabyte, *y, row.label));
    chart.series.push_back(std::move(series));
  }
  add_front(chart, true, true);
  const Metric* size = value_of(runs.front(), main_metric_id(runs, family));
  const Metric* own = value_of(runs.front(), kld);
  if (!heights.empty() && size != nullptr && own != nullptr && *own->value == 0) {
    const Range range = positive_range(heights);
    const double x = *size->value / kMegabyte;
    chart.series.push_back(guide_of(runs.front(), {.x = x, .y = range.low}, {.x = x, .y = range.high}));
    chart.caption += " The reference diverges by 0 from itself; the vertical line is its place on this axis.";
  }
  return chart;
}

Chart speed_by_divergence(const std::vector<Labelled>& runs) {
  const std::string decode = main_metric_id(runs, "decode_tokens_per_s");
  Chart chart{.id = "decode_by_kld", .title = "Quality against speed", .x_label = "KLD mean, nat", .y_label = "Decode, tok/s", .log_x = true};
  chart.caption = fmt::format("{}, median with quartiles; higher and further left is better.", decode);
  const std::string kld = main_metric_id(runs, "kld_mean");
  std::vector<double> widths;
  for (const Labelled& row : runs) {
    const Metric* x = value_of(row, kld);
    const Metric* y = value_of(row, decode);
    if (x == nullptr || y == nullptr || *x->value <= 0) continue;
    widths.push_back(*x->value);
    ChartSeries series = series_of(row);
    series.points.push_back(point_at(*x->value, *y, row.label));
    chart.series.push_back(std::move(series));
  }
  add_front(chart, true, false);
  const Metric* speed = value_of(runs.front(), decode);
  const Metric* own = value_of(runs.front(), kld);
  if (!widths.empty() && speed != nullptr && own != nullptr && *own->value == 0) {
    const Range range = positive_range(widths);
    chart.series.push_back(guide_of(runs.front(), {.x = range.low, .y = *speed->value}, {.x = range.high, .y = *speed->value}));
    chart.caption += " The reference diverges by 0 from itself; the level line is its speed.";
  }
  return chart;
}

Chart task_bars(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::bar, .id = "tasks", .title = "Task accuracy", .x_label = "Task", .y_label = "Items right, %"};
  chart.caption = "Share of items answered right with its 95 % interval. Runs answer the same items, so their difference is known better than "
                  "the bars suggest: the verdicts use the paired test.";
  const std::vector<std::string> ids = metric_ids(runs, "task_accuracy");
  for (const Labelled& row : runs) {
    ChartSeries series = series_of(row);
    for (size_t i = 0; i < ids.size(); ++i) {
      const Metric* metric = value_of(row, ids[i]);
      if (metric == nullptr) continue;
      Point point = point_at(static_cast<double>(i), *metric, ids[i].substr(ids[i].find(':') + 1));
      point.y *= 100;
      if (point.low) *point.low *= 100;
      if (point.high) *point.high *= 100;
      series.points.push_back(std::move(point));
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

// `by_depth`: x is what was in the cache before; else the length itself at depth 0.
void add_shape_lines(const std::vector<Labelled>& runs, std::string_view family, bool by_depth, Chart& chart) {
  for (const Labelled& row : runs) {
    ChartSeries series = series_of(row);
    for (const Metric& metric : row.run->metrics) {
      if (metric_family(metric.id) != family || !metric.value) continue;
      const Shape shape = shape_of(metric.id);
      if (!by_depth && shape.depth > 0) continue;
      series.points.push_back(point_at(by_depth ? shape.depth : shape.length, metric, metric.id));
    }
    std::sort(series.points.begin(), series.points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
}

Chart prefill_by_length(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::line, .id = "prefill_by_length", .title = "Prefill speed by prompt length", .x_label = "Prompt, tokens",
              .y_label = "Prefill, tok/s"};
  chart.caption = "Median with quartiles.";
  add_shape_lines(runs, "prefill_tokens_per_s", false, chart);
  return chart;
}

Chart decode_by_depth(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::line, .id = "decode_by_depth", .title = "Decode speed by depth", .x_label = "Tokens in the cache before",
              .y_label = "Decode, tok/s"};
  chart.caption = "Median with quartiles.";
  add_shape_lines(runs, "decode_tokens_per_s", true, chart);
  return chart;
}

struct MemoryPart {
  const char* name;
  std::array<const char*, 2> families;  // the first that the run has
};
constexpr std::array kMemoryParts{
    MemoryPart{"Weights", {"weights_bytes", ""}},
    MemoryPart{"KV cache", {"kv_allocated_bytes", "kv_bytes"}},
    MemoryPart{"Workspace", {"workspace_bytes", ""}},
};

double part_bytes(const Run& run, const MemoryPart& part) {
  for (const char* family : part.families)
    for (const Metric& metric : run.metrics)
      if (metric_family(metric.id) == family && metric.value) return *metric.value;
  return 0;
}

Chart memory_bars(const std::vector<Labelled>& runs) {
  Chart chart{.kind = Chart::Kind::bar, .id = "memory", .title = "Where the memory goes", .x_label = "Recipe", .y_label = "MB", .is_stacked = true};
  chart.caption = "Parts of the process's peak; the remainder is the program, its buffers and pages of the file that were read while loading.";
  for (const MemoryPart& part : kMemoryParts) chart.series.push_back({.name = part.name});
  chart.series.push_back({.name = "Remainder of the process peak"});
  double place = 0;
  for (const Labelled& row : runs) {
    const Metric* peak = value_of(row, "peak_rss_bytes");
    if (peak == nullptr && value_of(row, "weights_bytes") == nullptr) continue;
    double sum = 0;
    for (size_t i = 0; i < kMemoryParts.size(); ++i) {
      const double bytes = part_bytes(*row.run, kMemoryParts[i]);
      sum += bytes;
      chart.series[i].points.push_back({.x = place, .y = bytes / kMegabyte, .label = row.label});
    }
    const double rest = peak != nullptr ? std::max(0.0, *peak->value - sum) : 0;
    chart.series.back().points.push_back({.x = place, .y = rest / kMegabyte, .label = row.label});
    ++place;
  }
  if (place == 0) chart.series.clear();
  return chart;
}

std::vector<double> gaps_ms(const Run& run) {
  std::vector<double> gaps;
  for (const Series& series : run.series) {
    if (series.kind != "token_timeline" || metric_family(series.metric) != "decode_tokens_per_s" || shape_of(series.metric).depth > 0) continue;
    const auto name = std::find(series.columns.begin(), series.columns.end(), "time_ns");
    if (name == series.columns.end()) continue;
    const std::vector<double>& times = series.rows[static_cast<size_t>(name - series.columns.begin())];
    for (size_t i = 1; i < times.size(); ++i) gaps.push_back((times[i] - times[i - 1]) * 1e-6);
  }
  std::sort(gaps.begin(), gaps.end());
  return gaps;
}

Chart gap_quantiles(const std::vector<Labelled>& runs) {
  static constexpr std::array kPercents{1, 5, 10, 25, 50, 75, 90, 95, 99};
  Chart chart{.kind = Chart::Kind::line, .id = "token_gaps", .title = "Time between tokens", .x_label = "Percentile of the gaps", .y_label = "ms"};
  chart.caption = "Distribution of the gaps between generated tokens at depth 0; a steep right end means hiccups. A percentile is drawn only where "
                  "at least five gaps lie beyond it.";
  for (const Labelled& row : runs) {
    const std::vector<double> gaps = gaps_ms(*row.run);
    ChartSeries series = series_of(row);
    for (int percent : kPercents)
      if (stats::has_percentile(static_cast<int64_t>(gaps.size()), percent / 100.0))
        series.points.push_back({.x = static_cast<double>(percent), .y = stats::quantile_sorted(gaps, percent / 100.0), .label = fmt::format("p{}", percent)});
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  return chart;
}

bool has_several_places(const Chart& chart) {
  return std::any_of(chart.series.begin(), chart.series.end(), [](const ChartSeries& series) { return series.points.size() > 1; });
}

}  // namespace

std::vector<Chart> build_charts(const std::vector<Labelled>& runs) {
  std::vector<Chart> charts;
  for (Chart& chart : std::vector<Chart>{
           speed_by_divergence(runs), divergence_by_bytes(runs, "peak_rss_bytes", "kld_by_memory", "Quality against memory", "Process peak, MB"),
           divergence_by_bytes(runs, "file_bytes", "kld_by_size", "What each byte buys: quality against file size", "File, MB"), build_divergence_tail(runs),
           task_bars(runs), prefill_by_length(runs), decode_by_depth(runs), gap_quantiles(runs), memory_bars(runs), build_memory_timeline(runs)}) {
    if (chart.series.empty()) continue;
    if (chart.kind == Chart::Kind::line && !has_several_places(chart)) continue;  // one shape is in the table already
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace phiscope::reports
