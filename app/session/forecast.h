#pragma once
// What a model will need before anything is loaded.

#include "app/session/commands.h"

namespace phiscope::session {

struct MemoryForecast {
  std::string recipe;
  int64_t context = 0;             // what was asked for, at most the model's
  uint64_t weights = 0, kv = 0, workspace = 0, total = 0;  // bytes, as the backend plans them
  uint64_t available = 0;          // on this machine now
};
/// `target.context` = 0 asks for the model's whole context; the KV type is part of the recipe ("int4:kv=int8"). Reads headers only.
Result<MemoryForecast> forecast_memory(const Target& target, const CallOptions& options);

}  // namespace phiscope::session
