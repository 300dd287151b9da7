#include "core/record/record.h"

#include <array>

namespace phiscope {
namespace {

template <class Enum>
struct NameRow {
  Enum value;
  std::string_view name;
};

constexpr std::array kDirectionNames{
    NameRow<Direction>{Direction::higher, "higher"},
    NameRow<Direction>{Direction::lower, "lower"},
    NameRow<Direction>{Direction::none, "none"},
};

constexpr std::array kStatusNames{
    NameRow<RunStatus>{RunStatus::done, "done"},
    NameRow<RunStatus>{RunStatus::failed, "failed"},
    NameRow<RunStatus>{RunStatus::cancelled, "cancelled"},
    NameRow<RunStatus>{RunStatus::refused, "refused"},
};

template <class Table, class Enum>
std::string_view name_of(const Table& table, Enum value, std::string_view fallback) {
  for (const auto& row : table)
    if (row.value == value) return row.name;
  return fallback;
}

template <class Table, class Enum>
Enum value_of(const Table& table, std::string_view name, Enum fallback) {
  for (const auto& row : table)
    if (row.name == name) return row.value;
  return fallback;
}

}  // namespace

std::string_view direction_name(Direction direction) { return name_of(kDirectionNames, direction, "none"); }
Direction direction_from_name(std::string_view name) { return value_of(kDirectionNames, name, Direction::none); }

std::string_view run_status_name(RunStatus status) { return name_of(kStatusNames, status, "failed"); }
RunStatus run_status_from_name(std::string_view name) { return value_of(kStatusNames, name, RunStatus::failed); }

std::string_view metric_family(std::string_view id) { return id.substr(0, id.find_first_of("@:")); }

const Metric* Run::find_metric(std::string_view id) const {
  for (const Metric& metric : metrics)
    if (metric.id == id) return &metric;
  return nullptr;
}

const MetricInfo* Run::find_info(std::string_view metric_id) const {
  const std::string_view family = metric_family(metric_id);
  for (const MetricInfo& info : metric_infos)
    if (info.id == family) return &info;
  return nullptr;
}

}  // namespace phiscope
