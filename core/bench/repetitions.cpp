#include "core/bench/repetitions.h"

#include <cmath>

#include <fmt/format.h>

namespace phiscope::bench {

namespace {

constexpr double kPatience = 5;  // times the time cap, before the minimum of repetitions is given up

}  // namespace

void WarmUp::add(double value, double seconds) {
  ++count_;
  seconds_ += seconds;
  stable_ = count_ > 1 && std::abs(value - last_) <= 0.02 * std::abs(last_);
  last_ = value;
}

void Repetitions::add(double value, double seconds) {
  values_.push_back(value);
  seconds_ += seconds;
}

double Repetitions::relative_sd() const {
  if (values_.size() < 2) return 0;
  double mean = 0;
  for (const double value : values_) mean += value;
  mean /= static_cast<double>(values_.size());
  double squares = 0;
  for (const double value : values_) squares += (value - mean) * (value - mean);
  return mean == 0 ? 0 : std::sqrt(squares / static_cast<double>(values_.size() - 1)) / std::abs(mean);
}

bool Repetitions::is_stable() const { return count() >= limits_.min && count() >= 2 && relative_sd() < limits_.relative_sd; }

bool Repetitions::is_at_cap() const {
  if (count() < limits_.min) return count() >= 2 && seconds_ >= kPatience * limits_.max_seconds;
  return count() >= limits_.max || seconds_ >= limits_.max_seconds;
}

std::string Repetitions::cap_name() const {
  if (count() >= limits_.max) return fmt::format("count cap {}", limits_.max);
  return fmt::format("time cap {} s", limits_.max_seconds);
}

std::string Repetitions::reason() const {
  const double percent = 100 * relative_sd();
  if (is_stable()) return fmt::format("stable: relative SD {:.2f} % after {}", percent, count());
  if (count() >= limits_.max) return fmt::format("{}: relative SD {:.2f} %", cap_name(), percent);
  return fmt::format("{}: relative SD {:.2f} % after {}", cap_name(), percent, count());
}

}  // namespace phiscope::bench
