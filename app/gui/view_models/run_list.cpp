#include "app/gui/view_models/run_list.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <set>

#include "core/base/text.h"

namespace phiscope::gui {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view key_of(const Run& run, RunColumn column) {
  switch (column) {
    case RunColumn::started: return run.started_at;
    case RunColumn::model: return run.model;
    case RunColumn::recipe: return run.recipe;
    case RunColumn::backend: return run.backend;
    case RunColumn::suite: return run.suite;
    case RunColumn::status: return run_status_name(run.status);
  }
  return {};
}

}  // namespace

std::vector<size_t> filter_runs(const std::vector<Run>& runs, std::string_view words) {
  std::vector<std::string> wanted;
  for (const std::string& word : split(lower(words), ' '))
    if (!word.empty()) wanted.push_back(word);
  std::vector<size_t> result;
  for (size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    bool fits = true;
    if (!wanted.empty()) {
      const std::string all = lower(run.run_id + " " + run.model + " " + run.recipe + " " + run.backend + " " + run.suite + " " +
                                    std::string(run_status_name(run.status)) + " " + run.reason);
      fits = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& word) { return all.find(word) != std::string::npos; });
    }
    if (fits) result.push_back(i);
  }
  return result;
}

void sort_runs(const std::vector<Run>& runs, std::vector<size_t>& order, RunColumn column, bool falls) {
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const std::string_view x = key_of(runs[a], column), y = key_of(runs[b], column);
    return falls ? x > y : x < y;
  });
}

double unix_seconds(std::string_view iso) {
  if (iso.size() < 19 || iso[4] != '-' || iso[7] != '-' || iso[10] != 'T') return 0;
  const auto number = [&](size_t at, size_t count) {
    int value = 0;
    for (const char c : iso.substr(at, count)) value = value * 10 + (c - '0');
    return value;
  };
  using namespace std::chrono;
  const sys_days day = year(number(0, 4)) / month(static_cast<unsigned>(number(5, 2))) / std::chrono::day(static_cast<unsigned>(number(8, 2)));
  const auto seconds_of_day = number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2);
  return static_cast<double>(duration_cast<seconds>(day.time_since_epoch()).count() + seconds_of_day);
}

std::vector<Trend> metric_trends(const std::vector<Run>& runs, const std::vector<size_t>& order, const std::string& metric) {
  std::map<std::string, Trend> trends;
  for (const size_t index : order) {
    const Run& run = runs[index];
    const Metric* found = run.status == RunStatus::done ? run.find_metric(metric) : nullptr;
    if (found == nullptr || !found->value) continue;
    Trend& trend = trends[run.recipe];
    trend.recipe = run.recipe;
    if (const MetricInfo* info = run.find_info(metric)) trend.unit = info->unit;
    trend.points.push_back({unix_seconds(run.started_at), *found->value, index});
  }
  std::vector<Trend> result;
  for (auto& [recipe, trend] : trends) {
    std::sort(trend.points.begin(), trend.points.end(), [](const TrendPoint& a, const TrendPoint& b) { return a.unix_s < b.unix_s; });
    result.push_back(std::move(trend));
  }
  return result;
}

std::vector<std::string> metric_ids(const std::vector<Run>& runs, const std::vector<size_t>& order) {
  std::set<std::string> ids;
  for (const size_t index : order)
    for (const Metric& metric : runs[index].metrics)
      if (metric.value) ids.insert(metric.id);
  return {ids.begin(), ids.end()};
}

}  // namespace phiscope::gui
