#pragma once
// When a shape was measured often enough: stable, or a cap. Numbers in, a decision out.

#include <cstdint>
#include <string>
#include <vector>

namespace phiscope::bench {

/// Warm until two consecutive values are within 2 %, at most `cap` times and about `max_seconds` long.
class WarmUp {
 public:
  explicit WarmUp(int64_t cap, double max_seconds = 1e9) : cap_(cap), max_seconds_(max_seconds) {}
  bool done() const { return count_ >= cap_ || stable_ || seconds_ >= max_seconds_; }
  void add(double value, double seconds = 0);
  int64_t count() const { return count_; }

 private:
  int64_t cap_ = 0, count_ = 0;
  double max_seconds_ = 0, seconds_ = 0, last_ = 0;
  bool stable_ = false;
};

/// Repeats until the relative standard deviation falls below the bound (after the minimum), or the count or time cap. The minimum holds up to five
/// times the time cap; then two repetitions are enough: a large model on a slow machine must come to an end.
class Repetitions {
 public:
  struct Limits {
    int64_t min = 5, max = 20;
    double max_seconds = 4;
    double relative_sd = 0.01;
  };
  explicit Repetitions(Limits limits) : limits_(limits) {}
  void add(double value, double seconds);
  /// Time that went into something that does not count.
  void spend(double seconds) { seconds_ += seconds; }
  double seconds() const { return seconds_; }
  bool done() const { return is_stable() || is_at_cap(); }
  /// The count or the time cap, with the rule about the minimum.
  bool is_at_cap() const;
  /// "count cap 20", "time cap 4 s": the one that was reached.
  std::string cap_name() const;
  int64_t count() const { return static_cast<int64_t>(values_.size()); }
  /// Sample standard deviation / mean; 0 with fewer than two values.
  double relative_sd() const;
  /// What ended it: "stable: relative SD 0.4 % after 5", "count cap 20: relative SD 3.1 %", "time cap 4 s: relative SD 3.1 % after 7".
  std::string reason() const;
  bool is_stable() const;

 private:
  Limits limits_;
  double seconds_ = 0;
  std::vector<double> values_;
};

}  // namespace phiscope::bench
