#pragma once
// One fixed set of runs with samples, series and metrics, for the tests of store, comparison and reports. The figures are made up but shaped
// like those of the bundled model: five precisions on one device and one refused run.

#include <string>
#include <vector>

#include "core/record/record.h"

namespace phiscope::test {

struct ExampleOptions {
  std::string recipe = "fp32";
  std::string run_id = "01JD0000000000000000000001";
  std::string started_at = "2026-03-01T12:00:00.000Z";
  double speed = 1;          // factor of every rate
  double damage = 0;         // how far the distributions are from the reference's: about the mean KLD in nats
  double bits_per_weight = 32;
  uint64_t seed = 1;         // of the timing noise; texts and items are always the same
  int repetitions = 10;
  int items = 200;           // of each task
};

Run example_run(const ExampleOptions& options);

/// fp32, fp16, int8, int8-dyn, int4 (all done, interleaved), and one refused run. The first is the reference.
std::vector<Run> example_runs();

}  // namespace phiscope::test
